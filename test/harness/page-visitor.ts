/** A page as it came: its status, headers and text, and what of it tests ask for. */
export type Visited = {
  status: number
  headers: Headers
  text: string
  title: string
  /** The code of the problem that the page tells of; '' for none. */
  problem: string
  /** The texts of the error summary. */
  errors: string[]
}

/** How one request differs from a browser's: `null` leaves a header out. */
export type Differently = {
  headers?: Record<string, string | null>
  /** Sent in place of the form. */
  body?: string | Buffer
}

/** Somebody who visits pages without a browser: keeps cookies, and sends the token of the form that was shown last. */
export class PageVisitor {
  readonly cookies = new Map<string, string>()
  readonly #url: string
  formToken = ''

  constructor(url: string) {
    this.#url = url
  }

  /** Opens a page; redirects are not followed. */
  open(path: string, headers: Record<string, string> = {}): Promise<Visited> {
    return this.#visit(path, { headers, redirect: 'manual' })
  }

  /** Sends a form, after opening the page that it is on unless one was opened before. */
  async submit(
    path: string,
    fields: Record<string, string>,
    { headers = {}, body }: Differently = {},
  ): Promise<Visited> {
    if (this.formToken === '') await this.open(path)
    const given = { origin: this.#url, 'content-type': 'application/x-www-form-urlencoded', ...headers }
    const sent = Object.entries(given).filter((entry): entry is [string, string] => entry[1] !== null)
    const form = new URLSearchParams({ formToken: this.formToken, ...fields }).toString()
    return this.#visit(path, {
      method: 'POST',
      headers: Object.fromEntries(sent),
      body: body ?? form,
      redirect: 'manual',
    } as RequestInit)
  }

  async #visit(path: string, request: RequestInit): Promise<Visited> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const headers = { ...(request.headers as Record<string, string>), ...(cookie !== '' && { cookie }) }
    const response = await fetch(this.#url + path, { ...request, headers })
    for (const line of response.headers.getSetCookie()) this.#keep(line)
    const text = await response.text()
    this.formToken = found(text, /name="formToken" value="([^"]+)"/) || this.formToken
    return {
      status: response.status,
      headers: response.headers,
      text,
      title: found(text, /<title>([^<]*)<\/title>/),
      problem: found(text, /<main data-problem="([^"]*)"/),
      errors: [...found(text, /<div class="errors"[\s\S]*?<ul>([\s\S]*?)<\/ul>/).matchAll(/<li>([\s\S]*?)<\/li>/g)].map(
        ([, item = '']) => item.replace(/<[^>]*>/g, ''),
      ),
    }
  }

  #keep(line: string): void {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
    if (/max-age=0|expires=thu, 01 jan 1970/i.test(line)) this.cookies.delete(name)
    else this.cookies.set(name, value)
  }
}

const found = (text: string, pattern: RegExp) => pattern.exec(text)?.[1] ?? ''
