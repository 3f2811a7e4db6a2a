import { stationeryOf } from '../../src/compose-mail.ts'
import type { NewMail } from '../../src/mail/mail-kinds.ts'
import { PgMailStore } from '../../src/mail/mail-store.ts'
import type { TestService } from './service.ts'

/** Queues mails as a feature does, in one transaction, and wakes the sender as its commit does. */
export async function queueMails({ parts }: Pick<TestService, 'parts'>, ...mails: NewMail[]): Promise<void> {
  const office = { stationery: stationeryOf(parts.config), queued: () => parts.mailSender.noteQueued() }
  await parts.database.dataSource.transaction(async (manager) => {
    const store = new PgMailStore(manager, office)
    for (const mail of mails) await store.enqueue(mail)
  })
  parts.mailSender.noteCommitted()
}

/** A mail to nobody in particular. */
export const welcomeTo = (recipient: string): NewMail => ({
  kind: 'welcome',
  username: 'alice',
  firstName: 'Alice',
  recipient,
  userId: null,
})
