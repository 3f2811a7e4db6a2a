import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Type } from 'typebox'
import { area } from './area.ts'
import { durationMs } from './duration.ts'

const besidePackage = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url))

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

/** What the service itself runs by; paths are absolute. */
export type ServiceConfig = {
  /** Undefined: the embedded PostgreSQL in `dataDir`. */
  databaseUrl: string | undefined
  dataDir: string
  host: string
  port: number
  /** Without a slash at its end. */
  publicUrl: string | undefined
  logLevel: (typeof LOG_LEVELS)[number]
  modelFile: string
  policyDir: string
  profileSettingsFile: string
  maxStalenessMs: number
}

/** The variables of the service itself. */
export const serviceArea = area({
  variables: Type.Object({
    DATABASE_URL: Type.Optional(
      Type.String({
        description: 'PostgreSQL 15 or later to use; without it an embedded PostgreSQL keeps its data in `DATA_DIR`',
        must: 'be a URL like postgres://user@host:5432/name',
        refine: isPostgresUrl,
      }),
    ),
    DATA_DIR: Type.String({
      description: 'folder for whatever the service keeps itself, the embedded database above all',
      default: './data',
      must: 'be the path of a folder',
    }),
    HOST: Type.String({
      description: 'address to listen on',
      default: '127.0.0.1',
      must: 'be an address or host name',
    }),
    PORT: Type.Integer({
      description: 'port to listen on; 0 takes any free one',
      default: 8080,
      minimum: 0,
      maximum: 65_535,
      must: 'be a whole number from 0 to 65535',
    }),
    PUBLIC_URL: Type.Optional(
      Type.String({
        description:
          'address by which people and programs reach the service, for links in mails and the API documentation',
        must: 'be an http or https URL without query or fragment',
        refine: isPublicUrl,
      }),
    ),
    LOG_LEVEL: Type.Enum(LOG_LEVELS, {
      description: `least level that is logged: ${LOG_LEVELS.join(', ')}`,
      default: 'info',
      must: `be one of ${LOG_LEVELS.join(', ')}`,
    }),
    MODEL_FILE: Type.String({
      description: 'Casbin model that decides; the default is the one beside the package',
      default: 'model.conf',
      must: 'be the path of a file',
    }),
    POLICY_DIR: Type.String({
      description: 'folder of the rules; the default is the one beside the package',
      default: 'policies',
      must: 'be the path of a folder',
    }),
    PROFILE_SETTINGS_FILE: Type.String({
      description: 'catalogue of profile settings; the default is the one beside the package',
      default: 'profile-settings.yaml',
      must: 'be the path of a file',
    }),
    MAX_STALENESS: Type.String({
      description: 'how long checks go on from the last policy read while the database is away (ISO 8601 duration)',
      default: 'PT5M',
      must: 'be an ISO 8601 duration above zero, in weeks, days, hours, minutes or seconds, like PT5M',
      refine: (value: string) => (durationMs(value) ?? 0) > 0,
    }),
  }),
  part: (values, given): ServiceConfig => ({
    databaseUrl: values.DATABASE_URL,
    dataDir: resolve(values.DATA_DIR),
    host: values.HOST,
    port: values.PORT,
    publicUrl: values.PUBLIC_URL?.replace(/\/+$/, ''),
    logLevel: values.LOG_LEVEL,
    modelFile: given.has('MODEL_FILE') ? resolve(values.MODEL_FILE) : besidePackage(values.MODEL_FILE),
    policyDir: given.has('POLICY_DIR') ? resolve(values.POLICY_DIR) : besidePackage(values.POLICY_DIR),
    profileSettingsFile: given.has('PROFILE_SETTINGS_FILE')
      ? resolve(values.PROFILE_SETTINGS_FILE)
      : besidePackage(values.PROFILE_SETTINGS_FILE),
    maxStalenessMs: durationMs(values.MAX_STALENESS) ?? 0,
  }),
})

/** A socket folder may stand for the host (postgres://user@/name?host=/run), as in libpq. */
function isPostgresUrl(text: string): boolean {
  return /^postgres(ql)?:\/\//.test(text) && URL.canParse(text.replace('@/', '@localhost/'))
}

function isPublicUrl(text: string): boolean {
  return /^https?:\/\/[^?#\s]+$/.test(text) && URL.canParse(text)
}
