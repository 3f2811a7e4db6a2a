/** NUL, which PostgreSQL cannot keep, and halves of surrogate pairs, which UTF-8 cannot: both would change a name. */
const UNKEEPABLE = /[\0\p{Surrogate}]/u

/** Whether the database gives this text back to the letter. */
export const isKeepable = (text: string): boolean => !UNKEEPABLE.test(text)
