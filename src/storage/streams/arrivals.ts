/** Appends as they are planned: those of one stream together, in their order. */
import type { SessionId } from '../../domain/ids.ts';
import type { StreamName } from '../../domain/stream.ts';
import type { Append } from '../../sessions/ports.ts';

export interface StreamArrivals {
  readonly sessionId: SessionId;
  readonly stream: StreamName;
  /** `index` is the place in the batch. */
  readonly appends: readonly { readonly index: number; readonly append: Append }[];
}

export const keyOf = ({ sessionId, stream }: { sessionId: string; stream: string }): string => `${sessionId}/${stream}`;

export function byStream(appends: readonly Append[]): readonly StreamArrivals[] {
  const streams = new Map<string, StreamArrivals & { appends: { index: number; append: Append }[] }>();
  appends.forEach((append, index) => {
    const { sessionId, stream } = append;
    const found = streams.get(keyOf(append)) ?? { sessionId, stream, appends: [] };
    found.appends.push({ index, append });
    streams.set(keyOf(append), found);
  });
  return [...streams.values()];
}
