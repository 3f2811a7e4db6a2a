import type { WriteContext } from '../policy/policy-write.ts'

/** How a request came: the network it came from and the id it has. */
export type Origin = { network: string; requestId: string | null }

/** What somebody has to know who wants to register. */
export type RegistrationTerms = {
  confirmationRequired: boolean
  terms: { version: string; text: string } | null
  password: { minLength: number; maxLength: number }
}

/** What somebody who registers tells. */
export type NewRegistration = {
  username: string
  email: string
  firstName: string
  lastName: string
  password: string
  acceptTermsVersion?: string
}

/** An account as its owner is shown it. */
export type OwnAccount = {
  username: string
  email: string
  emailConfirmedAt: string | null
  firstName: string
  lastName: string
  isSuperuser: boolean
  groups: readonly { id: number; name: string; projectId: number | null }[]
}

/** A profile as its owner is shown it. */
export type OwnProfile = {
  settings: Readonly<Record<string, unknown>>
  color: { r: number; g: number; b: number; a: number }
  primaryGroup: number | null
}

/** What the pages put in front of people; what each throws is a DomainError of the service behind it. */
export type PageServices = {
  registration: {
    /** @throws DomainError `registration-disabled` */
    refuseWhereDisabled(): void
    terms(): RegistrationTerms
    register(registration: NewRegistration, origin: Origin): Promise<void>
    resend(email: string, origin: Origin): Promise<void>
    confirm(confirmation: { token: string; password?: string }, origin: Origin): Promise<{ passwordKept: boolean }>
  }
  logins: {
    open(
      context: WriteContext,
      login: { login: string; password: string; deviceName: string; network: string },
    ): Promise<{ accessToken: string; expiresIn: number }>
  }
  sessions: {
    /** Ends one session of a user at once. @throws DomainError `not-found` where it has ended */
    endOne(context: WriteContext, userId: number, sessionId: number): Promise<unknown>
  }
  passwords: {
    askForReset(email: string, origin: Origin): Promise<void>
    reset(
      reset: { token: string; newPassword: string; revokeApiTokens: boolean },
      origin: Origin,
    ): Promise<{ revokedApiTokens: number }>
  }
  account: {
    get(userId: number): Promise<OwnAccount>
    /** Gives the address that the account has now. */
    changeEmail(token: string, origin: Origin): Promise<string>
  }
  profiles: {
    /** What each setting is for, by its name. */
    readonly catalogue: ReadonlyMap<string, { description: string }>
    get(userId: number): Promise<OwnProfile>
  }
}

/** Whoever is logged in on the pages. */
export type PageUser = { id: number; sessionId: number | null }
