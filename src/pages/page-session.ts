/** The names of our cookies; by TLS the browser itself sees to it that no other host and no other path set them. */
export const cookieNames = (isSecure: boolean) => {
  const prefix = isSecure ? '__Host-' : ''
  return { session: `${prefix}gatehouse`, form: `${prefix}gatehouse-form` }
}

/** How the cookie of a login is kept: by the browser alone, for our own pages alone. */
export const sessionCookie = (isSecure: boolean) =>
  ({ path: '/', httpOnly: true, sameSite: 'strict', secure: isSecure }) as const
