import type { NewMail } from '../mail/mail-kinds.ts'
import type { PolicyWrite } from '../policy/policy-write.ts'

/** How long before its end a token's owner is told; tokens that live no longer than twice that are nobody's surprise. */
const BEFORE_THE_END = 'P7D'
const MAILS_A_TRANSACTION = 100
const CONTEXT = { caller: 'service:api-token-reminders', requestId: null, inPerson: null }

/** A token that ends soon, and whom to tell. */
export type ExpiringToken = { userId: number; username: string; email: string; name: string; expiresAt: Date }

/** Finds tokens that end soon. */
export interface ExpiringTokens {
  /** Up to `most` tokens that end within an ISO 8601 duration and whose owners were not told; now they count as told. */
  takeExpiring(within: string, most: number): Promise<ExpiringToken[]>
}

type Stores = { apiTokens: ExpiringTokens; mails: { enqueue(mail: NewMail): Promise<void> } }

/** Queues a mail for each API token that ends within a week, once; gives how many. @throws what the database throws */
export async function remindOfExpiringTokens(write: PolicyWrite<Stores>): Promise<number> {
  for (let all = 0; ; ) {
    const { value } = await write(CONTEXT, async ({ apiTokens, mails }) => {
      const tokens = await apiTokens.takeExpiring(BEFORE_THE_END, MAILS_A_TRANSACTION)
      for (const { userId, username, email, name, expiresAt } of tokens) {
        const mail = { username, name, expiresAt: expiresAt.toISOString() }
        await mails.enqueue({ kind: 'api-token-expiring', recipient: email, userId, ...mail })
      }
      return tokens.length
    })
    all += value
    if (value < MAILS_A_TRANSACTION) return all
  }
}
