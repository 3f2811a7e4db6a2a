import { type Content, html } from './html.ts'
import type { Page } from './page-layout.ts'
import type { OwnAccount, OwnProfile } from './page-services.ts'

/** The page of whoever is logged in: who they are, and their profile. */
export function accountPage(
  account: OwnAccount,
  profile: OwnProfile,
  catalogue: ReadonlyMap<string, { description: string }>,
  logoutButton: Content,
): Page {
  const { username, email, emailConfirmedAt, groups } = account
  const name = [account.firstName, account.lastName].filter(Boolean).join(' ')
  return {
    status: 200,
    title: 'Your account',
    main: html`<h1>Your account</h1>
<dl>
<dt>Login name</dt><dd>${username}</dd>
<dt>Name</dt><dd>${name || 'not told'}</dd>
<dt>E-mail address</dt><dd>${email || 'none'}${
      email === '' ? '' : emailConfirmedAt === null ? ' (not confirmed)' : ' (confirmed)'
    }</dd>
<dt>Groups</dt><dd>${groups.length === 0 ? 'none' : groups.map(groupText).join(', ')}</dd>
${account.isSuperuser ? html`<dt>Rights</dt><dd>You are a superuser</dd>` : ''}
</dl>
<h2>Profile</h2>
<dl>
${Object.entries(profile.settings).map(
  ([setting, value]) => html`<dt>${catalogue.get(setting)?.description ?? setting}</dt><dd>${valueText(value)}</dd>
`,
)}
<dt>Color</dt><dd>${swatch(profile.color)}</dd>
<dt>Primary group</dt><dd>${primaryGroupText(profile.primaryGroup, groups)}</dd>
</dl>
<h2>What you can do</h2>
<ul><li><a href="forgot-password">Set another password</a> by a link that is mailed to you</li></ul>
${logoutButton}`,
  }
}

const groupText = ({ name, projectId }: OwnAccount['groups'][number]) =>
  projectId === null ? name : `${name} (in project ${projectId})`

function valueText(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off'
  if (typeof value === 'string') return value === '' ? 'nothing' : value
  return JSON.stringify(value)
}

function primaryGroupText(id: number | null, groups: OwnAccount['groups']): string {
  if (id === null) return 'none'
  return groups.find((group) => group.id === id)?.name ?? `group ${id}`
}

/** Drawn, since no page may carry a style of its own. */
function swatch({ r, g, b, a }: OwnProfile['color']): Content {
  const [red, green, blue] = [of255(r), of255(g), of255(b)]
  const text = `red ${red}, green ${green}, blue ${blue}`
  return html`<svg viewBox="0 0 2 1" aria-hidden="true"><rect width="2" height="1" fill="rgb(${red} ${green} ${blue})"
fill-opacity="${a}"/></svg> ${text}`
}

const of255 = (part: number) => Math.round(Math.min(1, Math.max(0, part)) * 255)
