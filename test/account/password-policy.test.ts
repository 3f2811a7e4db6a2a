import t from 'tap'
import { blockedPasswords, plainForm } from '../../src/account/password-blocklist.ts'
import { blocklistSize, PASSWORD_POLICY, refuseBadPassword } from '../../src/account/password-policy.ts'
import { testService } from '../harness/service.ts'

const ALICE = ['alice', 'alice.miller@example.org', 'Alice', 'Müller-Lüdenscheidt']

/** The code that a password is refused with, or 'accepted'. */
function verdict(password: string, context: string[] = ALICE): string {
  try {
    refuseBadPassword(password, context)
    return 'accepted'
  } catch (error) {
    return (error as { code: string }).code
  }
}

t.test('15 characters are enough, of whatever kind; 14 are not', async (t) => {
  for (const password of [
    'ein kleiner fux',
    'seventeen rabbits',
    '😀😃😄😁😆😅🤣😂🙂🙃🫠😉😊😇🥰',
    '密码很长而且没有人能猜到它是什么吧',
  ]) {
    t.equal(verdict(password), 'accepted', password)
  }
  for (const password of ['ein kleiner fu', '😀😃😄😁😆😅🤣😂🙂🙃🫠😉😊😇', 'Aa1!Aa1!Aa1!Aa', '']) {
    t.equal(verdict(password), 'password-too-short', password)
  }
})

t.test('256 characters are taken, more are not, nor more than 1024 bytes once normalised', async (t) => {
  const text = (length: number) =>
    Array.from({ length }, (_, at) => String.fromCodePoint(0x4e00 + ((at * 7919) % 20_000))).join('')
  t.equal(verdict(text(256)), 'accepted')
  t.equal(verdict(text(257)), 'password-too-long')
  t.equal(verdict('x'.repeat(1_000_000)), 'password-too-long')
  t.equal(verdict('\ufdfa'.repeat(200)), 'password-too-long', 'one character that is 18 in NFKC')
})

t.test('the refusal names the field and the reason', async (t) => {
  try {
    refuseBadPassword('short', [], '/newPassword')
    t.fail('accepted')
  } catch (error) {
    t.match(error, {
      code: 'password-too-short',
      message: /at least 15 characters/,
      faults: [{ pointer: '/newPassword', detail: /at least 15/ }],
    })
  }
})

t.test('what is guessed early is refused: lists, repetitions, sequences, walks over the keyboard', async (t) => {
  for (const password of [
    'correct horse battery staple',
    'Correct-Horse-Battery-Staple',
    'passwordpassword',
    'PasswordPassword',
    'password1234567',
    'letmeinletmeinletmein',
    'qwertyuiopasdfgh',
    '1qaz2wsx3edc4rfv',
    '123456789012345',
    '987654321098765',
    'abcdefghijklmnop',
    'aaaaaaaaaaaaaaa',
    'blueblueblueblue',
    'may the force be with you',
    'iloveyou iloveyou',
  ]) {
    t.equal(verdict(password), 'password-blocklisted', password)
  }
})

t.test('words of the account and of the service are refused, reversed and with digits too', async (t) => {
  for (const password of [
    'alice1234567890',
    'alice alice alice!',
    'ecila ecila ecila 7',
    'Alice.Miller.2026!!',
    'alice@gatehouse 2026',
    'gatehouse-gatehouse',
    'esuohetag12345678',
    'gatehouse password',
    'müller lüdenscheidt',
    'CATMAID catmaid 1',
  ]) {
    t.equal(verdict(password), 'password-blocklisted', password)
  }
  t.equal(verdict('alice in the garden of wonders'), 'accepted', 'with enough that is her own')
  t.equal(verdict('bob1234567 bob1', []), 'accepted', 'words of somebody else are no reason')
})

t.test('the list holds far more than 3,000 passwords, each of which the length would let pass', async (t) => {
  const blocked = blockedPasswords(PASSWORD_POLICY.minLength)
  t.ok(blocked.size >= 3000, String(blocked.size))
  t.equal(blocked.size, blocklistSize())
  for (const password of blocked) if ([...password].length < 15) t.fail(password)
  const sample = [...blocked].filter((_password, place) => place % 97 === 0)
  for (const password of sample) t.equal(verdict(password, []), 'password-blocklisted', password)
})

t.test('the plain form leaves out what stands between words, and upper case', async (t) => {
  t.equal(plainForm('Pass-Word 12!'), 'password12')
  t.equal(plainForm('----'), '----')
})

t.test('the policy is told to everybody', async (t) => {
  const { url } = await testService(t)
  const answer = await fetch(`${url}/v1/password-policy`)
  t.equal(answer.status, 200)
  t.same(await answer.json(), { minLength: 15, maxLength: 256, maxBytes: 1024, blocklist: blocklistSize() })
})
