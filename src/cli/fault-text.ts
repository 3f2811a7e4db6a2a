import { ProfileCatalogueError } from '../account/profile-catalogue.ts'
import { ConfigError } from '../config.ts'
import { DatabaseError } from '../database/data-source.ts'
import { EmbeddedPostgresError } from '../database/embedded-binaries.ts'
import { ForeignDatabaseError } from '../database/foreign-database.ts'
import { PolicyModelError } from '../decision/policy-model-error.ts'
import { DomainError } from '../errors.ts'
import { CatmaidSourceError } from '../import/catmaid-site.ts'
import { GrantFileError } from '../policy/grant-file-line.ts'
import { DemoError } from './demo.ts'
import { WorkerError } from './worker-group.ts'

/** Faults whose message was written for whoever runs a command. */
const TOLD = [
  CatmaidSourceError,
  ConfigError,
  DatabaseError,
  DemoError,
  DomainError,
  EmbeddedPostgresError,
  ForeignDatabaseError,
  GrantFileError,
  PolicyModelError,
  ProfileCatalogueError,
  WorkerError,
]

/** What Node adds to an error of the operating system. */
type SystemFault = { code?: string; address?: string; port?: number; path?: string }

const FILE_FAULTS: Record<string, string> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'this user has no right to it',
  EISDIR: 'it is a folder',
  ENOTDIR: 'it is no folder',
  ENOSPC: 'no space is left',
}

/** What a command prints of the fault that ended it: a sentence where it is the user's to mend, else all we know. */
export function faultText(error: unknown): string {
  if (error instanceof DomainError && error.code === 'invalid-request' && error.faults.length > 0) {
    return error.faults.map(({ pointer, detail }) => `${pointer.replace('/', '')} ${detail}`).join('; ')
  }
  if (TOLD.some((kind) => error instanceof kind)) return (error as Error).message
  const { code = '', address, port, path } = error as SystemFault
  if (path !== undefined && code in FILE_FAULTS) return `cannot use ${path}: ${FILE_FAULTS[code]}`
  if (code === 'EADDRINUSE') return `${address}:${port} is in use: set PORT to another port, or end what listens there`
  if (code === 'EADDRNOTAVAIL') return `this machine has no address ${address}: set HOST to one that it has`
  if (code === 'EACCES' && port !== undefined) return `port ${port} takes more rights: set PORT to one above 1023`
  return `this should not have happened: ${error instanceof Error ? error.stack : String(error)}`
}
