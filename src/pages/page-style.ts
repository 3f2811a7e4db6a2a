/** The one stylesheet of all pages: system fonts, sizes that grow with the reader's, contrast of 7 to 1 and more. */
export const PAGE_STYLE = `
:root { color: #1b1b1b; background: #f3f3f1; font: 100%/1.5 system-ui, sans-serif; }
body { margin: 0; }
header, main { box-sizing: border-box; max-width: 38rem; margin: 0 auto; padding: 1rem 1.25rem; }
header { font-weight: 600; }
main { background: #fff; border-top: 0.3rem solid #14486e; padding-bottom: 2rem; overflow-wrap: anywhere; }
h1 { font-size: 1.75rem; line-height: 1.25; margin: 0.5rem 0 1rem; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 1.75rem 0 0.5rem; }
a { color: #0b4f85; }
a:hover { color: #06304f; }
a:focus-visible, button:focus-visible, input:focus-visible, [tabindex]:focus { outline: 0.2rem solid #8a4b00; outline-offset: 0.15rem; }
.field { margin: 1.25rem 0; }
label { font-weight: 600; }
.field > label { display: block; }
.hint, .error { margin: 0.15rem 0; }
.hint { color: #474747; }
.error { color: #8f1313; font-weight: 600; }
input { font: inherit; color: inherit; }
input:not([type=checkbox]) { box-sizing: border-box; width: 100%; padding: 0.5rem; border: 0.1rem solid #555; border-radius: 0.2rem; background: #fff; }
input[type=checkbox] { width: 1.25rem; height: 1.25rem; vertical-align: -0.2rem; margin: 0 0.5rem 0 0; }
input[aria-invalid] { border: 0.15rem solid #8f1313; }
button { font: inherit; font-weight: 600; padding: 0.6rem 1.25rem; border: 0.1rem solid #14486e; border-radius: 0.2rem; color: #fff; background: #14486e; cursor: pointer; }
button:hover { background: #0b2f4a; }
button.second { color: #14486e; background: #fff; }
.errors { border: 0.2rem solid #8f1313; padding: 0.25rem 1.25rem; margin: 1rem 0; }
.errors a { color: #8f1313; font-weight: 600; }
.terms { max-height: 20rem; overflow: auto; border: 0.1rem solid #555; padding: 0.75rem; white-space: pre-wrap; }
.said { white-space: pre-wrap; border-left: 0.3rem solid #14486e; padding-left: 0.75rem; }
dt { font-weight: 600; margin-top: 0.75rem; }
dd { margin: 0; }
svg { width: 2.5rem; height: 1.25rem; vertical-align: -0.3rem; border: 0.1rem solid #555; }
`
