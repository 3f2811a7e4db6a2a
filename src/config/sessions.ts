import { isIP } from 'node:net'
import { Type } from 'typebox'
import { area } from './area.ts'

/** How callers are told apart by their network, and whom access tokens are for. */
export type SessionsConfig = {
  /** Addresses and CIDR ranges whose `X-Forwarded-For` is believed; none by default. */
  trustedProxies: readonly string[]
  /** The claim `aud` of access tokens. */
  tokenAudience: string
}

/** The variables of login and sessions. */
export const sessionsArea = area({
  variables: Type.Object({
    TRUSTED_PROXIES: Type.Optional(
      Type.String({
        description:
          'addresses or CIDR ranges of proxies, with commas, whose `X-Forwarded-For` is believed; without it the header changes nothing',
        must: 'be IP addresses or CIDR ranges with commas between them, like 10.0.0.7,fd00::/8',
        refine: (value: string) => proxies(value).every(isAddressOrRange),
      }),
    ),
    TOKEN_AUDIENCE: Type.String({
      description: 'the claim `aud` of access tokens, which services that verify them must look for',
      default: 'gatehouse',
      maxLength: 200,
      must: 'be a text of at most 200 characters',
    }),
  }),
  part: (values): SessionsConfig => ({
    trustedProxies: Object.freeze(values.TRUSTED_PROXIES === undefined ? [] : proxies(values.TRUSTED_PROXIES)),
    tokenAudience: values.TOKEN_AUDIENCE,
  }),
})

const proxies = (text: string): string[] => text.split(',').map((proxy) => proxy.trim())

function isAddressOrRange(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/')
  const version = isIP(address)
  if (version === 0 || rest.length > 0) return false
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128))
}
