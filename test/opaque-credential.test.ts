import { createHmac } from 'node:crypto'
import t from 'tap'
import { credentialEnd, credentialHash, credentialShape } from '../src/opaque-credential.ts'

const shape = credentialShape('gatehouse_test_')

t.test('a credential fits its own shape and no other', (t) => {
  const other = credentialShape('gatehouse_other_')
  const made = new Set(Array.from({ length: 1000 }, shape.make))
  t.equal(made.size, 1000)
  for (const credential of made) {
    t.match(credential, /^gatehouse_test_[0-9A-Za-z]{36}$/)
    t.ok(shape.fits(credential))
    t.notOk(other.fits(credential))
  }
  t.end()
})

t.test('one changed character is noticed, wherever it is', (t) => {
  const credential = shape.make()
  for (let at = 0; at < credential.length; at += 1) {
    t.notOk(shape.fits(credential.slice(0, at) + (credential[at] === 'x' ? 'y' : 'x') + credential.slice(at + 1)))
  }
  t.end()
})

t.test('the same bytes stand for the same credential, others for another, too few for none', (t) => {
  const bytes = (message: string) => createHmac('sha256', 'secret').update(message).digest()
  t.equal(shape.from(bytes('a')), shape.from(bytes('a')))
  t.not(shape.from(bytes('a')), shape.from(bytes('b')))
  t.ok(shape.fits(shape.from(bytes('a'))))
  t.ok(shape.fits(shape.from(new Uint8Array(32))), 'also with leading zeros')
  t.throws(() => shape.from(new Uint8Array(31)), /32 bytes/)
  t.end()
})

t.test('all digits of base 62 occur', (t) => {
  const seen = new Set(Array.from({ length: 200 }, shape.make).flatMap((made) => [...made.slice(15, 45)]))
  t.equal(seen.size, 62)
  t.end()
})

t.test('what is shown and kept of a credential', (t) => {
  const credential = shape.make()
  t.equal(shape.startOf(credential), credential.slice(0, 'gatehouse_test_'.length + 6))
  t.equal(credentialEnd(credential), credential.slice(-4))
  t.match(credentialHash(credential), /^[0-9a-f]{64}$/)
  t.end()
})
