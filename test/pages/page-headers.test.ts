import t from 'tap'
import { mailbox } from '../harness/mailbox.ts'
import { PageVisitor } from '../harness/page-visitor.ts'
import { testService } from '../harness/service.ts'

/** Every page that there is, and what it answers to whoever comes without anything. */
const PAGES: Record<string, number> = {
  '/login': 200,
  '/account': 303,
  '/logout': 200,
  '/register': 200,
  '/confirm-email?token=x': 200,
  '/confirm-email': 400,
  '/resend-confirmation': 200,
  '/forgot-password': 200,
  '/reset-password?token=x': 200,
  '/reset-password': 400,
  '/confirm-email-change?token=x': 200,
  '/confirm-email-change': 400,
}
const CSP = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

const { env } = await mailbox(t)
const service = await testService(t, { env: { ...env, REGISTRATION_ALLOWED: 'true' } })
const closed = await testService(t)

t.test('every page keeps browsers from doing anything that it does not ask for', async (t) => {
  for (const [path, status] of Object.entries(PAGES)) {
    const page = await new PageVisitor(service.url).open(path)
    t.equal(page.status, status, path)
    if (status === 303) continue
    t.match(page.headers.get('content-type'), 'text/html; charset=utf-8', path)
    t.equal(page.headers.get('content-security-policy'), CSP, path)
    t.equal(page.headers.get('referrer-policy'), 'no-referrer', path)
    t.equal(page.headers.get('cache-control'), 'no-store', path)
    t.equal(page.headers.get('x-content-type-options'), 'nosniff', path)
    t.match(page.headers.get('strict-transport-security'), /max-age=31536000/, path)
    t.match(page.text, /^<!doctype html>\n<html lang="en">/)
    t.equal(page.text.match(/<h1>/g)?.length, 1, `${path} has one heading of the first order`)
    t.notMatch(page.text, /<script|<style| style=| on\w+=|javascript:/i, path)
    const addresses = [...page.text.matchAll(/(?:href|action|src)="([^"]*)"/g)].map(([, address]) => address ?? '')
    for (const address of addresses)
      t.match(address, /^(#[\w-]*|[a-z-]+(\.css)?)$/, `${path} leads to our own pages only`)
  }
})

t.test('faults are pages too', async (t) => {
  const visitor = new PageVisitor(service.url)
  const faults = [
    await visitor.submit('/login', { login: 'x', password: 'x' }, { headers: { origin: 'https://evil.example' } }),
    await visitor.submit('/login', { login: 'x', password: 'x' }, { headers: { 'content-type': 'text/plain' } }),
    await visitor.open('/login?x=%00'),
    await new PageVisitor(closed.url).open('/register'),
  ]
  for (const fault of faults) {
    t.ok(fault.status >= 400, String(fault.status))
    t.equal(fault.headers.get('content-security-policy'), CSP)
    t.match(fault.headers.get('content-type'), /^text\/html/)
    t.not(fault.problem, '')
  }
})

t.test('the stylesheet is ours, and may be kept', async (t) => {
  const { headers, text, status } = await new PageVisitor(service.url).open('/pages.css')
  t.equal(status, 200)
  t.match(headers.get('content-type'), /^text\/css/)
  t.match(headers.get('cache-control'), /max-age=/)
  t.notMatch(text, /url\(|@import/)
})

t.test('where nobody can register, no page offers it and each of its pages refuses', async (t) => {
  const visitor = new PageVisitor(closed.url)
  t.notMatch((await visitor.open('/login')).text, /register/i)
  t.match((await new PageVisitor(service.url).open('/login')).text, /<a href="register">Register<\/a>/)
  for (const path of ['/register', '/confirm-email?token=x', '/confirm-email', '/resend-confirmation']) {
    t.match(await visitor.open(path), { status: 403, problem: 'registration-disabled' }, path)
    const [page = ''] = path.split('?')
    const sent = await visitor.submit(page, { email: 'a@example.org', token: 'x' })
    t.match(sent, { status: 403, problem: 'registration-disabled' }, `POST ${page}`)
  }
  t.equal((await visitor.open('/forgot-password')).status, 200)
})

t.test('pages are no part of the interface for programs', async (t) => {
  const { paths } = (await (await fetch(`${service.url}/openapi.json`)).json()) as { paths: object }
  t.same(
    Object.keys(paths).filter((path) => path in PAGES),
    [],
  )
})
