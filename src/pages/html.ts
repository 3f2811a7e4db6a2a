import { html as escaped } from 'ghtml'

class Markup {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  toString(): string {
    return this.#text
  }
}

/** Text that is HTML already. Only {@link html} can make it, of what is written in a template of ours. */
export type Html = Markup

/** What a template can hold: HTML as it is, lists of it one after another, and texts, escaped whatever is in them. */
export type Content = Html | string | number | readonly Content[]

/** A template whose every text is escaped; there is no way around it, so nothing that a user wrote becomes markup. */
export function html(strings: TemplateStringsArray, ...contents: Content[]): Html {
  return new Markup(strings.map((text, at) => (at === 0 ? '' : rendered(contents[at - 1] ?? '')) + text).join(''))
}

function rendered(content: Content): string {
  if (content instanceof Markup) return content.toString()
  if (typeof content === 'object') return content.map(rendered).join('')
  return escaped`${content}`
}
