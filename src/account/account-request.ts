/** What somebody asked for who may have an account or not; done after the answer, see {@link AccountRequestService}. */
export type AccountRequest =
  | { kind: 'registration'; body: RegistrationRequest }
  | { kind: 'confirmation-resend'; body: { email: string } }
  | { kind: 'password-reset'; body: { email: string } }

/** A registration whose fields were all found good; the password is a hash by now. */
export type RegistrationRequest = {
  username: string
  email: string
  firstName: string
  lastName: string
  passwordHash: string
  termsVersion: string | null
}

/** A request that waits, with the id of the HTTP request that it came with. */
export type WaitingRequest = { id: number; requestId: string | null }

/** How often something may happen: so many times in a window, and not twice within a pause; in milliseconds. */
export type Limit = { most: number; windowMs: number; pauseMs: number }
