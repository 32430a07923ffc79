import type { Plugin } from 'vite'

const EDITS = [
  // Embedded fonts, 265 of the 275 kB that the sheet has when compressed. graphiql.css names system fonts instead.
  { file: 'graphiql/dist/style.css', find: /@font-face\s*\{[^}]*\}/g, put: '' },
  // A transparent picture to drag text with; one without an address is as invisible.
  { file: 'codemirror/lib/codemirror.js', find: /"data:image\/gif;base64,[^"]+"/g, put: '""' },
]

/** Takes out of GraphiQL what it loads from `data:` addresses, which the page's policy forbids. */
export function strictPolicy(): Plugin {
  return {
    name: 'bedside:strict-policy',
    enforce: 'pre',
    transform: {
      filter: { id: EDITS.map(({ file }) => `**/node_modules/${file}`) },
      handler(code, id) {
        const edit = EDITS.find(({ file }) => id.endsWith(file))
        if (edit === undefined) return null
        const edited = code.replace(edit.find, edit.put)
        if (edited === code) this.error(`nothing left to take out of ${edit.file}: see tools/strict-policy.ts`)
        return { code: edited, map: null }
      },
    },
  }
}
