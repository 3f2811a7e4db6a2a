import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { testService } from '../harness/service.ts'
import { callWithToken, signedIn } from '../harness/sign-in.ts'

const service = await testService(t)
const user = await signedIn(t, service)
const [stored] = await service.query<{ kid: string; private_key: string; public_key: { x: string } }>(
  'SELECT kid, private_key, public_key FROM signing_keys',
)
if (stored === undefined) throw new Error('there is no signing key')
const { kid, private_key: key, public_key: jwk } = stored
const [head = '', body = ''] = user.accessToken.split('.')
const decoded = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString())
const encoded = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
const HEADER = decoded(head)
const CLAIMS = decoded(body)
const now = Math.floor(Date.now() / 1000)

/** A token signed with our key, however wrong it is. */
function token(header: unknown, claims: unknown, by: string | KeyObject = key): string {
  const input = `${encoded(header)}.${encoded(claims)}`
  return `${input}.${sign(null, Buffer.from(input), by).toString('base64url')}`
}
const withClaims = (claims: object) => token(HEADER, { ...CLAIMS, ...claims })
const withHeader = (header: object) => token({ ...HEADER, ...header }, CLAIMS)
const without = (name: string) => {
  const { [name]: _left, ...rest } = CLAIMS
  return token(HEADER, rest)
}
function hmac(secret: string | Buffer, alg = 'HS256'): string {
  const input = `${encoded({ ...HEADER, alg })}.${body}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}
const answer = (credential: string) => callWithToken(service, credential, 'GET', '/v1/me/sessions')

t.test('the token is typed, names its key and says whom it is for', async (t) => {
  t.same(HEADER, { alg: 'EdDSA', typ: 'at+jwt', kid })
  t.match(CLAIMS, {
    iss: 'urn:gatehouse',
    sub: String(user.id),
    aud: 'gatehouse',
    client_id: 'gatehouse',
    sid: String(user.sessionId),
    scope: 'check account projects',
    jti: /^[\w-]{22}$/,
  })
  t.equal(CLAIMS.exp - CLAIMS.iat, 600)
  t.ok(Math.abs(CLAIMS.auth_time - now) < 60)
  t.same(Object.keys(CLAIMS).sort(), [
    'aud',
    'auth_time',
    'client_id',
    'exp',
    'iat',
    'iss',
    'jti',
    'scope',
    'sid',
    'sub',
  ])
  const root = await signedIn(t, service, { username: 'root', superuser: true })
  t.equal(decoded(root.accessToken.split('.')[1] ?? '').scope, 'check account projects admin')
})

t.test('what the tests sign themselves is as good as the real token, where it says the same', async (t) => {
  for (const [name, good] of Object.entries({
    'the same': token(HEADER, CLAIMS),
    'typ in upper case': withHeader({ typ: 'AT+JWT' }),
    'typ as a media type': withHeader({ typ: 'application/at+jwt' }),
    'an audience among others': withClaims({ aud: ['other', 'gatehouse'] }),
    'a key of its own in the header, which nobody looks at': withHeader({ jwk }),
    'a claim that we do not know': withClaims({ nickname: 'al' }),
  })) {
    t.equal((await answer(good)).status, 200, name)
  }
})

const other = generateKeyPairSync('ed25519')
const publicPem = createPublicKey(key).export({ type: 'spki', format: 'pem' }).toString()
const publicDer = createPublicKey(key).export({ type: 'spki', format: 'der' })
const BAD: Record<string, string> = {
  'alg none': `${encoded({ ...HEADER, alg: 'none' })}.${body}.`,
  'alg None': `${encoded({ ...HEADER, alg: 'None' })}.${body}.x`,
  'no signature': `${head}.${body}.`,
  'two parts': `${head}.${body}`,
  'four parts': `${user.accessToken}.x`,
  'HS256 by the public PEM': hmac(publicPem),
  'HS256 by the public PEM behind a space': hmac(` ${publicPem}`),
  'HS256 by the public PEM behind a byte order mark': hmac(`\ufeff${publicPem}`),
  'HS256 by the public DER': hmac(publicDer),
  'HS256 by the JWK': hmac(JSON.stringify(jwk)),
  'HS256 by x': hmac(jwk.x),
  'EdDSA on the outside, HMAC within': hmac(publicPem, 'EdDSA'),
  'alg in an array': token({ ...HEADER, alg: ['EdDSA'] }, CLAIMS),
  'alg ES256': withHeader({ alg: 'ES256' }),
  'another key': token(HEADER, CLAIMS, other.privateKey),
  'another key, brought along as jwk': token(
    { ...HEADER, jwk: other.publicKey.export({ format: 'jwk' }) },
    CLAIMS,
    other.privateKey,
  ),
  'another key, at an address': token({ ...HEADER, jku: 'https://evil.example/jwks' }, CLAIMS, other.privateKey),
  'changed claims': `${head}.${encoded({ ...CLAIMS, sub: '1' })}.${user.accessToken.split('.')[2]}`,
  'typ JWT': withHeader({ typ: 'JWT' }),
  'no typ': token({ alg: 'EdDSA', kid }, CLAIMS),
  'typ of an ID token': withHeader({ typ: 'id+jwt' }),
  'unknown kid': withHeader({ kid: 'x'.repeat(43) }),
  'a kid that is a path': withHeader({ kid: '../../etc/passwd' }),
  'a kid of 3,000 characters': withHeader({ kid: 'x'.repeat(3000) }),
  'a kid that every object has': withHeader({ kid: '__proto__' }),
  'no kid': token({ alg: 'EdDSA', typ: 'at+jwt' }, CLAIMS),
  'kid a number': withHeader({ kid: 5 }),
  'crit that nobody knows': withHeader({ crit: ['b64'], b64: false }),
  'wrong issuer': withClaims({ iss: 'urn:other' }),
  'issuer in an array': withClaims({ iss: ['urn:gatehouse'] }),
  'no issuer': without('iss'),
  'wrong audience': withClaims({ aud: 'other' }),
  'no audience': without('aud'),
  expired: withClaims({ iat: now - 700, exp: now - 1 }),
  'no exp': without('exp'),
  'exp a text': withClaims({ exp: String(now + 600) }),
  'exp far beyond time': withClaims({ exp: 1e300 }),
  'exp null': withClaims({ exp: null }),
  'no iat': without('iat'),
  'iat in the future': withClaims({ iat: now + 3600, exp: now + 4000 }),
  'iat a text': withClaims({ iat: String(now) }),
  'nbf in the future': withClaims({ nbf: now + 3600 }),
  'no jti': without('jti'),
  'empty jti': withClaims({ jti: '' }),
  'no sub': without('sub'),
  'empty sub': withClaims({ sub: '' }),
  'sub null': withClaims({ sub: null }),
  'sub a number': withClaims({ sub: user.id }),
  'sub in an array': withClaims({ sub: [String(user.id)] }),
  'sub a login': withClaims({ sub: 'alice' }),
  'sub with a zero in front': withClaims({ sub: `0${user.id}` }),
  'sub of nobody': withClaims({ sub: '2000000000' }),
  'sub of the anonymous user': withClaims({ sub: '1' }),
  'no sid': without('sid'),
  'sid a number': withClaims({ sid: user.sessionId }),
  'no client_id': without('client_id'),
  'another client': withClaims({ client_id: 'other' }),
  'no auth_time': without('auth_time'),
  'no scope': without('scope'),
  'payload an array': token(HEADER, [CLAIMS]),
  'payload a text': token(HEADER, '"text"'),
  'payload a number': token(HEADER, '7'),
  'payload null': token(HEADER, 'null'),
  'payload no JSON': token(HEADER, '{'),
  'header an array': token([HEADER], CLAIMS),
  'header no JSON': `${encoded('{')}.${body}.x`,
  'a prototype for claims': token(HEADER, `{"__proto__":${JSON.stringify(CLAIMS)}}`),
  'padding in base64': `${head}=.${body}.${user.accessToken.split('.')[2]}`,
  'longer than any': `${user.accessToken}${'A'.repeat(5000)}`,
  empty: '..',
  'a refresh token': user.refreshToken,
}

for (const [name, bad] of Object.entries(BAD)) {
  t.test(`${name} opens nothing, and breaks nothing`, async (t) => {
    const { status, body: problem, headers } = await answer(bad)
    t.match(problem, { status: 401, code: 'unauthenticated' })
    t.equal(status, 401)
    t.equal(headers.get('www-authenticate'), 'Bearer realm="gatehouse", error="invalid_token"')
  })
}

t.test('of two subjects the last is read, and the key must have signed both', async (t) => {
  const twice = JSON.stringify(CLAIMS).replace('{', '{"sub":"2000000000",')
  t.equal((await answer(token(HEADER, twice))).status, 200)
  const signature = user.accessToken.split('.')[2]
  t.equal((await answer(`${head}.${encoded(twice)}.${signature}`)).status, 401)
})

t.test('an access token is taken from nowhere but the header', async (t) => {
  for (const name of ['access_token', 'token', 'jwt']) {
    t.equal((await fetch(`${service.url}/v1/me/sessions?${name}=${user.accessToken}`)).status, 401, name)
  }
  const cookie = { cookie: `token=${user.accessToken}; access_token=${user.accessToken}` }
  t.equal((await fetch(`${service.url}/v1/me/sessions`, { headers: cookie })).status, 401)
})

t.test('another issuer and audience are those of the configuration', async (t) => {
  const env = { PUBLIC_URL: 'https://gatehouse.example.org/', TOKEN_AUDIENCE: 'microscopes' }
  const configured = await testService(t, { env })
  const { accessToken } = await signedIn(t, configured)
  t.match(decoded(accessToken.split('.')[1] ?? ''), { iss: 'https://gatehouse.example.org', aud: 'microscopes' })
  t.equal((await callWithToken(configured, user.accessToken, 'GET', '/v1/me/sessions')).status, 401)
})

t.test(
  'a token with any character changed, or made of anything at all, opens nothing and breaks nothing',
  async (t) => {
    const { keeper, accessTokens } = service.parts
    const read = (text: string) => accessTokens.read(text, keeper.snapshot().credentials.signingKeys)
    t.ok(read(user.accessToken))
    fc.assert(
      fc.property(fc.nat(user.accessToken.length - 1), fc.constantFrom(...'aZ09-_.=+ \n'), (at, letter) => {
        const changed = user.accessToken.slice(0, at) + letter + user.accessToken.slice(at + 1)
        return changed === user.accessToken || read(changed) === undefined
      }),
      { numRuns: 500 },
    )
    const part = fc.oneof(fc.json(), fc.string()).map(encoded)
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(part, { maxLength: 5 }).map((parts) => parts.join('.')),
        ),
        (text) => {
          return read(text) === undefined
        },
      ),
      { numRuns: 500 },
    )
    const claims = fc.record({ sub: fc.json(), exp: fc.anything(), aud: fc.anything() }, { requiredKeys: [] })
    fc.assert(
      fc.property(fc.oneof(claims, fc.anything()), (claim) => {
        const text = JSON.stringify(claim)
        return text === undefined || read(token(HEADER, text)) === undefined
      }),
      { numRuns: 300 },
    )
  },
)
