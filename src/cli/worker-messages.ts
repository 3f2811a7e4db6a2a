/**
 * What the primary process and its workers tell each other. `question` is chosen by whoever asks, and comes back with
 * the answer.
 */
export type ToPrimary =
  /** Policy is read and everything made; the worker waits for `listen`. */
  | { kind: 'ready' }
  | { kind: 'listening'; address: string }
  /** It ends, for a reason that is the operator's to mend. */
  | { kind: 'failed'; text: string }
  | { kind: 'all-figures'; question: number }
  | { kind: 'own-figures'; question: number; text: string }

/** See {@link ToPrimary}. */
export type ToWorker =
  | { kind: 'listen' }
  | { kind: 'end' }
  | { kind: 'own-figures'; question: number }
  | { kind: 'all-figures'; question: number; texts: string[] }

/** How long a worker may take to say its figures before those of the others are given without them. */
export const FIGURES_WITHIN_MS = 2000
