/** The array with twice the room; what is new in it is 0. */
export function grown<T extends Int32Array | Uint8Array>(array: T, type: new (length: number) => T): T {
  const larger = new type(array.length * 2)
  larger.set(array as never)
  return larger
}
