/** Records that the server itself writes to a session's streams (protocol sections 5.1, 6, 9.4). */
export type RecordHeader = readonly [name: string, value: string];

/** A stored data record: `data` is JSON text inside JSON, clients parse it once more. */
export const recordEnvelope = (text: string, partId: string): string => JSON.stringify({ data: text, id: partId });

/** Tells a live run that its session has ended, so that it leaves its loop. */
export const closeWakeText = (sessionKey: string): string =>
  JSON.stringify({ kind: 'message', payload: { chatId: sessionKey, trigger: 'close' } });

/** Part id of that record: a session ends once. */
export const closeWakePartId = 'session-end';

/** Tells the readers of `out` that no run will write again. */
export function sessionClosedHeaders(reason: string | null): readonly RecordHeader[] {
  const closed: RecordHeader = ['trigger-control', 'session-closed'];
  return reason === null ? [closed] : [closed, ['session-closed-reason', reason]];
}
