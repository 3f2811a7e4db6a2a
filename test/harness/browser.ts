import { existsSync } from 'node:fs'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import type { Test } from 'tap'

/** Debian's. */
const CHROMIUM = '/usr/bin/chromium'
const PATIENCE_MS = 20_000

/** Why tests with a browser are skipped, or false. On the machine that checks changes they never are. */
export const noBrowser: string | false =
  existsSync(CHROMIUM) || process.env.CI === 'true' ? false : `there is no ${CHROMIUM}: apt-get install chromium`

/**
 * Starts a browser to which `address` is where `serviceUrl` listens, as a name and a proxy would have it; it ends with
 * the test. Each page that it opens has cookies of its own.
 */
export async function browserAt(t: Test, address: string, serviceUrl: string) {
  const browser: Browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [
      `--host-resolver-rules=MAP ${new URL(address).host}:80 ${new URL(serviceUrl).host}`,
      // Chromium refuses to run its sandbox as root.
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    ],
  })
  t.teardown(() => browser.close())
  return {
    /** A page in a browser that somebody just opened. */
    async page(options: BrowserContextOptions = {}): Promise<Page> {
      const context = await browser.newContext({ baseURL: address, ...options })
      context.setDefaultTimeout(PATIENCE_MS)
      return context.newPage()
    },
  }
}
