import type { FieldFault } from '../errors.ts'
import { type Content, type Html, html } from './html.ts'
import type { Frame, Page } from './page-layout.ts'

/** A field of a form. What was typed stands in it again after a fault, but never a password. */
export type Field = {
  name: string
  label: string
  type: 'text' | 'email' | 'password' | 'checkbox'
  /** What the browser fills it in with; see the HTML standard. */
  autocomplete?: string
  hint?: string
  required?: boolean
  /** What a checkbox sends. */
  value?: string
}

/** A form as it is before anybody fills it in. */
export type FormView = {
  title: string
  /** Stands above the fields. */
  intro?: Content
  action: string
  fields: readonly Field[]
  /** Sent along unseen, like the token of a link. */
  hidden?: Readonly<Record<string, string>>
  /** Stands between fields and button. */
  beforeButton?: Content
  button: string
  /** Stands behind the button, within the form. */
  afterButton?: Content
  /** Stands below the form. */
  outro?: Content
}

/** What is wrong with a form that was sent. */
export type FormFaults = {
  status: number
  code: string
  /** Faults of single fields (`/name`), and of the whole (any other pointer). */
  faults: readonly FieldFault[]
}

/** The page of a form; with `wrong`, of one that has to be mended: its faults come first and lead to their fields. */
export function formPage(
  frame: Frame,
  view: FormView,
  values: Readonly<Record<string, string>> = {},
  wrong?: FormFaults,
): Page {
  const faults = (wrong?.faults ?? []).map((fault) => placed(view.fields, fault))
  const page = {
    status: wrong?.status ?? 200,
    title: wrong === undefined ? view.title : `Error: ${view.title}`,
    main: html`${wrong === undefined ? '' : errorSummary(faults)}
<h1>${view.title}</h1>
${view.intro ?? ''}
<form method="post" action="${view.action}" novalidate>
${hiddenInputs({ ...view.hidden, formToken: frame.formToken })}
${view.fields.map((field) => fieldOf(field, values[field.name] ?? '', faults))}
${view.beforeButton ?? ''}
<p><button>${view.button}</button></p>
${view.afterButton ?? ''}
</form>
${view.outro ?? ''}`,
  }
  return wrong === undefined ? page : { ...page, problem: wrong.code }
}

type PlacedFault = { field: Field | undefined; text: string }

function placed(fields: readonly Field[], { pointer, detail }: FieldFault): PlacedFault {
  const field = fields.find(({ name }) => pointer === `/${name}`)
  return { field, text: field === undefined ? sentence(detail) : `${field.label}: ${detail}` }
}

const sentence = (text: string) => text.slice(0, 1).toUpperCase() + text.slice(1)

function errorSummary(faults: readonly PlacedFault[]): Html {
  const items = faults.map(({ field, text }) =>
    field === undefined ? html`<li>${text}</li>` : html`<li><a href="#${field.name}">${text}</a></li>`,
  )
  return html`<div class="errors" role="alert" aria-labelledby="errors-title" tabindex="-1" autofocus>
<h2 id="errors-title">There is a problem</h2>
<ul>${items}</ul>
</div>`
}

const hiddenInputs = (values: Readonly<Record<string, string>>): Html[] =>
  Object.entries(values).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)

function fieldOf(field: Field, value: string, faults: readonly PlacedFault[]): Html {
  const { name, hint } = field
  const own = faults.filter((fault) => fault.field === field)
  const described = [hint === undefined ? [] : `${name}-hint`, own.length === 0 ? [] : `${name}-error`].flat()
  const attributes = html`${own.length > 0 ? html` aria-invalid="true"` : ''}${
    described.length > 0 ? html` aria-describedby="${described.join(' ')}"` : ''
  }`
  const notes = html`${hint === undefined ? '' : html`<p class="hint" id="${name}-hint">${hint}</p>`}
${own.length === 0 ? '' : html`<p class="error" id="${name}-error">${own.map(({ text }) => html`Error: ${text} `)}</p>`}`
  return field.type === 'checkbox' ? checkbox(field, value, attributes, notes) : input(field, value, attributes, notes)
}

function input(field: Field, value: string, attributes: Html, notes: Html): Html {
  const { name, label, type, autocomplete } = field
  return html`<div class="field">
<label for="${name}">${label}</label>
${notes}
<input id="${name}" name="${name}" type="${type}"${type === 'password' ? '' : html` value="${value}" spellcheck="false"`}${
    autocomplete === undefined ? '' : html` autocomplete="${autocomplete}"`
  }${field.required === true ? html` required` : ''}${attributes}>
</div>`
}

function checkbox(
  { name, label, value: sends = 'yes', required }: Field,
  value: string,
  attributes: Html,
  notes: Html,
) {
  return html`<div class="field">
${notes}
<input id="${name}" name="${name}" type="checkbox" value="${sends}"${value === sends ? html` checked` : ''}${
    required === true ? html` required` : ''
  }${attributes}><label for="${name}">${label}</label>
</div>`
}
