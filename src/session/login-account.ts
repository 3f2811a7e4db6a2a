/** An account as a login sees it; never deleted, never the anonymous user. */
export type LoginAccount = {
  id: number
  username: string
  email: string
  isActive: boolean
  isSuperuser: boolean
  passwordHash: string | null
  deactivationReason: string | null
  deactivatedAt: string | null
  deactivationMessage: string | null
}
