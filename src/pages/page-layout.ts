import { type Html, html } from './html.ts'

/** A page: its status, the title that says its state, and what stands in it. */
export type Page = {
  status: number
  title: string
  main: Html
  /** The code of the problem that the page tells of, for whoever reads it by program. */
  problem?: string
}

/** What pages know of the service around them. */
export type Frame = {
  /** Goes into every form; see `acceptForms`. */
  formToken: string
  /** Whether people can register, and so whether pages offer it. */
  isRegistrationOpen: boolean
}

/**
 * The whole document. Addresses in it are relative, so that it works below whatever path a proxy puts it at.
 *
 * The header of the answer says `no-referrer`; for a form that would make browsers send `Origin: null`, which anybody
 * can. `strict-origin` tells nobody more than where the service is, never the path or a token in it.
 */
export function documentOf({ title, main, problem }: Page): string {
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>${title} – Gatehouse</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="strict-origin">
<meta name="robots" content="noindex">
<link rel="stylesheet" href="pages.css">
</head>
<body>
<header>Gatehouse</header>
<main${problem === undefined ? '' : html` data-problem="${problem}"`}>
${main}
</main>
</body>
</html>
`
  return page.toString()
}
