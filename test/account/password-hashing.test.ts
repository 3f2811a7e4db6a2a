import { createHash, pbkdf2Sync } from 'node:crypto'
import { hash as argon2 } from '@node-rs/argon2'
import { hash as bcrypt } from '@node-rs/bcrypt'
import t from 'tap'
import { PasswordHashing } from '../../src/account/password-hashing.ts'

const PASSWORD = 'pässwörd ✓ mit Leerzeichen '
const hashing = (...samples: string[]) => new PasswordHashing({ samples: async () => samples })

/** Hashes as Django makes them. */
const pbkdf2 = (digest: 'sha256' | 'sha1', iterations: number, password = PASSWORD) =>
  `pbkdf2_${digest}$${iterations}$salt$${pbkdf2Sync(password, 'salt', iterations, digest === 'sha256' ? 32 : 20, digest).toString('base64')}`
const DJANGO: Record<string, string> = {
  pbkdf2_sha256: pbkdf2('sha256', 20_000),
  pbkdf2_sha1: pbkdf2('sha1', 10_000),
  argon2: `argon2${await argon2(PASSWORD, { memoryCost: 10_240, timeCost: 2, parallelism: 8 })}`,
  bcrypt_sha256: `bcrypt_sha256$${await bcrypt(createHash('sha256').update(PASSWORD).digest('hex'), 6)}`,
  bcrypt: `bcrypt$${await bcrypt(PASSWORD, 6)}`,
}

/** What one verification costs a site that has these hashes. */
async function costOf(samples: string[], stored: string | null): Promise<{ hashes: number; iterations: number }> {
  const passwords = hashing(...samples)
  await passwords.verify('not the password', stored)
  return passwords.work
}

t.test('a password is kept as argon2id with a salt of its own', async (t) => {
  const passwords = hashing()
  const [one, other] = [await passwords.hash(PASSWORD), await passwords.hash(PASSWORD)]
  t.match(one, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
  t.not(one, other)
  t.same(await passwords.verify(PASSWORD, one), { fits: true, outdated: false })
  t.same(await passwords.verify(`${PASSWORD}x`, one), { fits: false, outdated: false })
})

t.test('a long password counts to its last character', async (t) => {
  const passwords = hashing()
  const long = `🔑 ${'a b'.repeat(20)}é`
  const stored = await passwords.hash(long)
  t.same(await passwords.verify(long, stored), { fits: true, outdated: false })
  t.notOk((await passwords.verify(`${long.slice(0, -1)}e`, stored)).fits)
})

t.test('a password fits however its characters were composed when it was typed', async (t) => {
  const passwords = hashing()
  const stored = await passwords.hash('caf\u00e9 caf\u00e9 caf\u00e9')
  t.ok((await passwords.verify('cafe\u0301 cafe\u0301 cafe\u0301', stored)).fits)
  const django = pbkdf2('sha256', 1000, 'caf\u00e9')
  t.ok((await passwords.verify('caf\u00e9', django)).fits)
  t.notOk((await passwords.verify('cafe\u0301', django)).fits, 'Django hashed what it received')
})

t.test('every kind of hash that Django makes is verified, and told to be replaced', async (t) => {
  const passwords = hashing()
  for (const [kind, stored] of Object.entries(DJANGO)) {
    t.same(await passwords.verify(PASSWORD, stored), { fits: true, outdated: true }, kind)
    t.same(await passwords.verify(PASSWORD.trim(), stored), { fits: false, outdated: false }, kind)
  }
  const weaker = await argon2(PASSWORD, { memoryCost: 8192, timeCost: 1, parallelism: 1 })
  t.same(await passwords.verify(PASSWORD, weaker), { fits: true, outdated: true }, 'ours, with older parameters')
})

t.test('what is no hash, unusable, unsalted, or too costly fits nothing', async (t) => {
  const passwords = hashing()
  const none = [
    null,
    '',
    '!',
    '!Gj8s7df6',
    PASSWORD,
    'sha1$salt$3b1b9a1d',
    'md5$$d41d8cd98f00b204e9800998ecf8427e',
    'pbkdf2_sha256$0$salt$AAAA',
    `pbkdf2_sha256$9999999$salt$${'A'.repeat(43)}=`,
    'pbkdf2_sha256$1000$salt$',
    'pbkdf2_sha256$x$salt$AAAA',
    `$argon2id$v=19$m=4194304,t=2,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`,
    '$argon2id$v=19$m=19456,t=2,p=1$$',
    `bcrypt$$2b$31$${'.'.repeat(53)}`,
    'bcrypt$$2b$12$short',
  ]
  for (const stored of none) {
    t.same(await passwords.verify(PASSWORD, stored), { fits: false, outdated: false }, String(stored))
    t.same(passwords.work.hashes, none.indexOf(stored) + 1, 'and costs one argon2, as if there were no account')
  }
})

t.test('a site without imported hashes pays one argon2 a try, whoever asks', async (t) => {
  const own = await hashing().hash(PASSWORD)
  for (const stored of [own, null, '!unusable']) {
    t.same(await costOf([own], stored), { hashes: 1, iterations: 0 }, String(stored))
  }
})

t.test(
  'with imported hashes every try costs the same, whatever the account has, or whether there is one',
  async (t) => {
    const own = await hashing().hash(PASSWORD)
    const samples = [...Object.values(DJANGO), own, pbkdf2('sha256', 36_000), pbkdf2('sha256', 90)]
    const costs = await Promise.all([null, '!unusable', ...samples].map((stored) => costOf(samples, stored)))
    t.same([...new Set(costs.map(({ hashes }) => hashes))], [7], 'argon2 twice, bcrypt once, two of each PBKDF2')
    const iterations = costs.map((cost) => cost.iterations)
    t.ok(Math.max(...iterations) - Math.min(...iterations) <= 2, `${iterations}`)
    t.ok(Math.min(...iterations) >= 46_000)
  },
)

t.test('a hash of a kind that was not there a minute ago is verified all the same', async (t) => {
  const passwords = hashing()
  t.same(await passwords.verify(PASSWORD, DJANGO.bcrypt ?? null), { fits: true, outdated: true })
})

t.test('when the kinds cannot be read, the next try reads them again', async (t) => {
  let asked = 0
  const passwords = new PasswordHashing({
    samples: async () => {
      asked += 1
      if (asked === 1) throw new Error('the database is away')
      return []
    },
  })
  await t.rejects(passwords.verify(PASSWORD, null), /away/)
  t.same(await passwords.verify(PASSWORD, null), { fits: false, outdated: false })
})

t.test('four run and 64 wait; one more is refused at once', async (t) => {
  const passwords = hashing()
  const running = Array.from({ length: 68 }, () => passwords.hash(PASSWORD))
  t.throws(() => passwords.hash(PASSWORD), { code: 'overloaded' })
  t.equal((await Promise.all(running)).length, 68)
  t.match(await passwords.hash(PASSWORD), /^\$argon2id/)
})

t.test('the self-test passes here', async (t) => {
  await t.resolves(hashing().selfTest())
})
