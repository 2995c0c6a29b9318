/** Sees to it that a namespace knows the attributes which every session's workflow is started with. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { temporal } from '@temporalio/proto';
import proto from '@temporalio/proto';
import type { NativeConnection } from '@temporalio/worker';
import { sessionSearchAttributeKeys } from '../../workflows/search-attributes.ts';
import { callTemporal } from './connect.ts';
import { invalidArgument, isRefusal } from './refusal.ts';

type IndexedValueType = temporal.api.enums.v1.IndexedValueType;

const { INDEXED_VALUE_TYPE_KEYWORD, INDEXED_VALUE_TYPE_KEYWORD_LIST } = proto.temporal.api.enums.v1.IndexedValueType;

const typeNames = {
  KEYWORD: { cliType: 'Keyword', indexedType: INDEXED_VALUE_TYPE_KEYWORD },
  KEYWORD_LIST: { cliType: 'KeywordList', indexedType: INDEXED_VALUE_TYPE_KEYWORD_LIST },
} as const;

export interface SearchAttributeType {
  readonly name: string;
  /** As the CLI and the cloud's console call it. */
  readonly cliType: string;
  readonly indexedType: IndexedValueType;
}

export const searchAttributeTypes: readonly SearchAttributeType[] = sessionSearchAttributeKeys.map(({ name, type }) => {
  const { cliType, indexedType } = typeNames[type];
  return { name, cliType, indexedType };
});

/** A cluster spreads a new attribute to its hosts by polling, every 10 s by default. */
const visibleDeadlineMs = 30_000;
const pollIntervalMs = 200;
const callDeadlineMs = 10_000;

/**
 * Adds what is missing and waits until the namespace can be searched by it.
 * @throws with a sentence for the user when the server forbids it, or holds a name with another type
 */
export async function ensureSearchAttributes(connection: NativeConnection, namespace: string): Promise<void> {
  const missing = await missingAttributes(connection, namespace);
  if (missing.length === 0) return;
  try {
    await callTemporal(connection, callDeadlineMs, () =>
      connection.operatorService.addSearchAttributes({
        namespace,
        searchAttributes: Object.fromEntries(missing.map(({ name, indexedType }) => [name, indexedType])),
      }),
    );
  } catch (thrown) {
    if (!isRefusal(thrown, forbidden)) throw thrown;
    // A server may forbid the listing as well, and yet have them all.
    if (await canSearch(connection, namespace)) return;
    throw new Error(forbiddenMessage(namespace, missing), { cause: thrown });
  }
  await awaitSearchable(connection, namespace);
}

/** All of them where the server does not let us list. */
async function missingAttributes(
  connection: NativeConnection,
  namespace: string,
): Promise<readonly SearchAttributeType[]> {
  try {
    const { customAttributes } = await callTemporal(connection, callDeadlineMs, () =>
      connection.operatorService.listSearchAttributes({ namespace }),
    );
    const known = customAttributes ?? {};
    for (const { name, cliType, indexedType } of searchAttributeTypes) {
      if (known[name] === undefined || known[name] === indexedType) continue;
      throw new Error(
        `The Temporal namespace ${namespace} has a search attribute ${name} of another type; Perdure needs it as ${cliType}. ` +
          'Remove it there, or set TEMPORAL_NAMESPACE to a namespace of its own.',
      );
    }
    return searchAttributeTypes.filter(({ name }) => known[name] === undefined);
  } catch (thrown) {
    if (isRefusal(thrown, forbidden)) return searchAttributeTypes;
    if (isRefusal(thrown, notFound)) {
      throw new Error(
        `Temporal has no namespace ${namespace}. Create it there, or set TEMPORAL_NAMESPACE to one that exists.`,
        { cause: thrown },
      );
    }
    throw thrown;
  }
}

async function awaitSearchable(connection: NativeConnection, namespace: string): Promise<void> {
  for (const endAt = Date.now() + visibleDeadlineMs; Date.now() < endAt; await sleep(pollIntervalMs)) {
    if (await canSearch(connection, namespace)) return;
  }
  throw new Error(
    `The Temporal namespace ${namespace} does not show its new search attributes within ${visibleDeadlineMs / 1000} s.`,
  );
}

/** A query that names an unknown attribute is refused, whatever the store. */
async function canSearch(connection: NativeConnection, namespace: string): Promise<boolean> {
  const query = searchAttributeTypes.map(({ name }) => `${name} = '-'`).join(' AND ');
  try {
    await callTemporal(connection, callDeadlineMs, () =>
      connection.workflowService.countWorkflowExecutions({ namespace, query }),
    );
    return true;
  } catch (thrown) {
    if (isRefusal(thrown, invalidArgument)) return false;
    throw thrown;
  }
}

/** Codes of gRPC. */
const notFound = [5];
/** Permission denied, unimplemented, unauthenticated. */
const forbidden = [7, 12, 16];

function forbiddenMessage(namespace: string, missing: readonly SearchAttributeType[]): string {
  const wanted = missing.map(({ name, cliType }) => `${name} (${cliType})`).join(', ');
  return (
    `The Temporal server does not let Perdure add search attributes to the namespace ${namespace}. ` +
    `Create these there and start again: ${wanted}.`
  );
}
