/**
 * A `Storage` that forgets with the page. GraphiQL keeps documents, variables, headers and their history in the one
 * it is given, by default localStorage; they may hold health data, which has no place on a disk.
 */
export function memoryStorage(): Pick<Storage, 'getItem' | 'setItem' | 'removeItem' | 'clear' | 'length'> {
  const items = new Map<string, string>()
  return {
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => {
      items.set(key, value)
    },
    removeItem: (key) => {
      items.delete(key)
    },
    clear: () => {
      items.clear()
    },
    get length() {
      return items.size
    },
  }
}
