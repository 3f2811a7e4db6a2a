import type { Static, TObject, TProperties, TSchema } from 'typebox'

/** What spanning faults ask of the environment: a variable counts as given although its value is at fault. */
export type Given = {
  has(name: string): boolean
  /** Whether the switch of that name is on, by its default where it is not given. */
  isOn(name: string): boolean
}

/**
 * One area of the configuration: its variables, the part of the configuration that they make, and the faults that no
 * variable has by itself.
 *
 * A schema of a variable carries, beside its type, default and description:
 * - `must`, which ends the sentence "<VARIABLE> must …" of its fault; values are never repeated there, they may be secret;
 * - `refine`, a further test of its value;
 * - `orFile`, where `<VARIABLE>_FILE` may name a file that holds the value.
 */
export type Area<Properties extends TProperties, Part> = {
  variables: TObject<Properties>
  /** Only asked when nothing is at fault. */
  part(values: Static<TObject<Properties>>, given: Given): Part
  /** Faults that span variables, of other areas too. */
  faults?(given: Given): string[]
}

/** What we add to the schema of a variable. */
export type VariableSchema = TSchema & {
  description: string
  must: string
  default?: unknown
  refine?: (value: string) => boolean
  orFile?: boolean
  placeholders?: readonly string[]
}

/** Keeps the types of an area together. */
export function area<Properties extends TProperties, Part>(definition: Area<Properties, Part>): Area<Properties, Part> {
  return definition
}
