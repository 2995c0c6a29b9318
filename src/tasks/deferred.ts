/** A promise with the function that resolves it; `Promise.withResolvers` begins with Node 22. */
export interface Deferred {
  readonly promise: Promise<undefined>;
  readonly resolve: () => void;
}

export function defer(): Deferred {
  let fulfil: ((value: undefined) => void) | undefined;
  const promise = new Promise<undefined>((resolve) => {
    fulfil = resolve;
  });
  return { promise, resolve: () => fulfil?.(undefined) };
}
