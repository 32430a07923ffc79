import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Plugin } from 'vite'

const TEXT = /\.(?:css|html|js|json|md|svg|txt)$/

/** Writes `name.gz` beside every text file of the build, so that the server compresses nothing while it serves. */
export function precompress(): Plugin {
  return {
    name: 'bedside:precompress',
    apply: 'build',
    async writeBundle({ dir }, bundle) {
      if (dir === undefined) throw new Error('the build has no output folder')
      for (const name of Object.keys(bundle).filter((each) => TEXT.test(each))) {
        const plain = await readFile(join(dir, name))
        const packed = gzipSync(plain, { level: 9 })
        if (packed.length < plain.length) await writeFile(join(dir, `${name}.gz`), packed)
      }
    },
  }
}
