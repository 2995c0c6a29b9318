/**
 * What operators search sessions by in Temporal. Pure: a start builds all of them, the workflow changes a few.
 * Values are bounded here, because a visibility store that refuses one would hold the whole workflow back.
 */
import { defineSearchAttributeKey, type SearchAttributePair } from '@temporalio/common';
import type { SessionState } from '../src/domain/gate.ts';
import type { EnvironmentName, SessionId } from '../src/domain/ids.ts';

export const sessionId = defineSearchAttributeKey('SessionId', 'KEYWORD');
const sessionExternalId = defineSearchAttributeKey('SessionExternalId', 'KEYWORD');
const sessionType = defineSearchAttributeKey('SessionType', 'KEYWORD');
const sessionTask = defineSearchAttributeKey('SessionTask', 'KEYWORD');
export const sessionTags = defineSearchAttributeKey('SessionTags', 'KEYWORD_LIST');
export const sessionStatus = defineSearchAttributeKey('SessionStatus', 'KEYWORD');
const sessionEnvironment = defineSearchAttributeKey('SessionEnvironment', 'KEYWORD');

/** Each must be registered in the namespace before the first session starts there. */
export const sessionSearchAttributeKeys = [
  sessionId,
  sessionExternalId,
  sessionType,
  sessionTask,
  sessionTags,
  sessionStatus,
  sessionEnvironment,
] as const;

export interface AttributedSession {
  readonly id: SessionId;
  readonly externalId: string | null;
  readonly type: string;
  readonly taskIdentifier: string;
  readonly tags: readonly string[];
  readonly environment: EnvironmentName;
}

/** The SQL visibility stores keep a keyword in `VARCHAR(255)`. */
const keywordLengthMax = 255;
/** The server caps one value at 2,048 bytes; the rest is room for the payload's own fields. */
const tagsBytesMax = 1_800;

/** The attributes that a session's workflow is started with: those of an open session. */
export function sessionSearchAttributes(session: AttributedSession): SearchAttributePair[] {
  const tags = tagsThatFit(session.tags);
  return [
    { key: sessionId, value: session.id },
    ...(session.externalId === null ? [] : [{ key: sessionExternalId, value: keyword(session.externalId) }]),
    { key: sessionType, value: keyword(session.type) },
    { key: sessionTask, value: keyword(session.taskIdentifier) },
    ...(tags.length === 0 ? [] : [{ key: sessionTags, value: tags }]),
    { key: sessionStatus, value: statusOf('open') },
    { key: sessionEnvironment, value: session.environment },
  ];
}

const statuses = { open: 'ACTIVE', closed: 'CLOSED', expired: 'EXPIRED' } as const satisfies Record<
  SessionState,
  string
>;

/** The API's own word for a session's state (protocol section 3.7), so that one filter reads the same everywhere. */
export const statusOf = (state: SessionState): (typeof statuses)[SessionState] => statuses[state];

/** U+0000 is legal in an external id, but PostgreSQL's visibility tables cannot hold it. */
function keyword(text: string): string {
  const storable = text.replaceAll('\u0000', '\ufffd');
  if (storable.length <= keywordLengthMax) return storable;
  const last = storable.charCodeAt(keywordLengthMax - 1);
  const splitsPair = last >= 0xd800 && last <= 0xdbff;
  return storable.slice(0, splitsPair ? keywordLengthMax - 1 : keywordLengthMax);
}

/** The first tags whose JSON stays within the bound; the row keeps all of them. */
export function tagsThatFit(tags: readonly string[]): string[] {
  const fitting: string[] = [];
  // The brackets of the list, then each value with its comma.
  let bytes = 2;
  for (const tag of tags.map(keyword)) {
    bytes += utf8Bytes(JSON.stringify(tag)) + 1;
    if (bytes >= tagsBytesMax) break;
    fitting.push(tag);
  }
  return fitting;
}

/** The workflow sandbox has no Buffer. */
function utf8Bytes(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x1_0000 ? 3 : 4;
  }
  return bytes;
}
