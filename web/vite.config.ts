import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'
import { precompress } from './tools/precompress.ts'
import { strictPolicy } from './tools/strict-policy.ts'

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  base: '/web/',
  appType: 'mpa',
  resolve: {
    alias: { 'react-style-singleton': here('src/graphiql/style-singleton.ts') },
  },
  build: {
    outDir: here('../core/bedside_core/web'),
    emptyOutDir: true,
    assetsInlineLimit: 0, // the policy of the page allows no data: addresses
    modulePreload: { polyfill: false },
    reportCompressedSize: false, // the .gz files show it
    license: { fileName: 'licenses.md' }, // of all that is bundled: most licences ask for it
    chunkSizeWarningLimit: 1100, // kB; GraphiQL itself, for developers only
    rolldownOptions: {
      input: [here('graphiql.html')],
      checks: { moduleLevelDirective: false }, // "use client" in libraries means nothing here
    },
  },
  plugins: [strictPolicy(), precompress()],
  server: {
    proxy: { '/graphql': { target: 'http://127.0.0.1:8000', ws: true } },
  },
})
