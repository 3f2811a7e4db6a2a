import { mkdir, open, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** A mail that is kept as a file: what its name is made of. */
type Named = { messageId: string; date: Date }

/**
 * Keeps mails as `.eml` files that only the service's own user may read. A file is there as a whole or not at all, and
 * the same mail written again takes the place of the first.
 *
 * @returns the path of the file
 */
export async function writeEml(folder: string, { messageId, date }: Named, message: Buffer): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const time = date.toISOString().replace(/[-:]|\.\d+/g, '')
  const path = join(folder, `${time}-${messageId.replace(/[^\w-].*$/s, '')}.eml`)
  const unfinished = `${path}.unfinished`
  const file = await open(unfinished, 'w', 0o600)
  try {
    await file.writeFile(message)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(unfinished, path)
  await syncFolder(dirname(path))
  return path
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
