// A service that queues mails and sends them, to be killed: DATABASE_URL, SMTP_URL and so on are in its environment.
// For each transaction that is committed it prints the number of the mail in it.
import { pino } from 'pino'
import { compose } from '../../src/compose.ts'
import { stationeryOf } from '../../src/compose-mail.ts'
import { loadConfig } from '../../src/config.ts'
import { PgMailStore } from '../../src/mail/mail-store.ts'

const parts = await compose(loadConfig(process.env), pino({ level: 'silent' }))
const office = { stationery: stationeryOf(parts.config), queued: () => parts.mailSender.noteQueued() }
parts.mailSender.start()
for (;;) {
  const number = await parts.database.dataSource.transaction(async (manager) => {
    const [{ number }] = await manager.query('INSERT INTO wanted DEFAULT VALUES RETURNING number')
    await new PgMailStore(manager, office).enqueue({
      kind: 'welcome',
      username: `user ${number}`,
      firstName: '',
      recipient: `p${number}@example.org`,
      userId: null,
    })
    return number
  })
  parts.mailSender.noteCommitted()
  process.stdout.write(`${number}\n`)
  await new Promise((resolve) => setTimeout(resolve, 5))
}
