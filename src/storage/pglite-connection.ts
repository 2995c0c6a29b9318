/**
 * PGlite by the wire protocol, with prepared statements: its own `query` parses, plans and describes each time, on the
 * thread that serves requests (`statement-names.ts` has the numbers).
 */
import { type PGlite, protocol } from '@electric-sql/pglite';
import { Unavailable } from '../domain/failure.ts';
import type { SqlRow, SqlValue } from './database.ts';
import type { Connection } from './run-transaction.ts';
import { isConnectionLost, isStalePlan, toThrown } from './sql-errors.ts';
import { decoderOf, encodeValue } from './sql-values.ts';
import { statementNames } from './statement-names.ts';

export interface PgliteConnection extends Connection {
  /** After a change of the schema, outside of transactions: plans made before it are stale. */
  forgetStatements(): Promise<void>;
}

type Message = Awaited<ReturnType<PGlite['execProtocol']>>['messages'][number];

const { serialize, messages: kinds } = protocol;

/** @param onCrash called once when the engine has failed in a way that no later statement can survive */
export function pgliteConnection(engine: PGlite, onCrash: (cause: unknown) => void): PgliteConnection {
  const nameOf = statementNames();
  const prepared = new Set<string>();
  let generation = 0;

  /** New names, because inside a failed transaction the old ones cannot be given back. */
  function forgetNames(): void {
    prepared.clear();
    generation += 1;
  }

  async function prepare(text: string): Promise<string> {
    const digest = nameOf(text);
    const name = digest === null ? '' : `${digest}.${generation}`;
    if (prepared.has(name)) return name;
    await send(engine, serialize.parse({ text, name }), serialize.sync());
    if (name !== '') prepared.add(name);
    return name;
  }

  const guard = crashGuard(engine, {
    onCrash,
    onError: (cause) => {
      if (isStalePlan(cause)) forgetNames();
    },
  });
  const enqueue = inOrder();
  const perform = <Value>(work: () => Promise<Value>): Promise<Value> => enqueue(() => guard(work));
  return {
    async forgetStatements() {
      forgetNames();
      await perform(() => engine.exec('DEALLOCATE ALL'));
    },
    run: (text, values) =>
      perform(async () => {
        const bind = serialize.bind({ statement: await prepare(text), values: values.map(encodeForBind) });
        return rowsOf(
          await send(engine, bind, serialize.describe({ type: 'P' }), serialize.execute(), serialize.sync()),
        );
      }),
    command: (text) => perform(async () => void (await engine.exec(text))),
  };
}

/** After a crash of the engine nothing is tried any more: the process has to start again. */
function crashGuard(engine: PGlite, { onCrash, onError }: Record<'onCrash' | 'onError', (cause: unknown) => void>) {
  let crash: { readonly cause: unknown } | null = null;
  return async <Value>(work: () => Promise<Value>): Promise<Value> => {
    if (crash !== null) throw new Unavailable('database', crash.cause);
    try {
      return await work();
    } catch (cause) {
      onError(cause);
      if (!isConnectionLost(cause) && !engine.closed) throw toThrown(cause);
      crash = { cause };
      onCrash(cause);
      throw new Unavailable('database', cause);
    }
  };
}

/** The engine would take a statement in while another is half way through its messages. */
function inOrder(): <Value>(work: () => Promise<Value>) => Promise<Value> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const next = last.then(work);
    last = next.catch(() => {});
    return next;
  };
}

async function send(engine: PGlite, ...parts: readonly Uint8Array[]): Promise<readonly Message[]> {
  return (await engine.execProtocol(Buffer.concat(parts))).messages;
}

function encodeForBind(value: SqlValue): string | ArrayBufferView | null {
  return encodeValue(value);
}

function rowsOf(messages: readonly Message[]): readonly SqlRow[] {
  let columns: readonly { readonly name: string; readonly decode: (text: string) => unknown }[] = [];
  const rows: SqlRow[] = [];
  for (const message of messages) {
    if (message instanceof kinds.RowDescriptionMessage) {
      columns = message.fields.map((field) => ({ name: field.name, decode: decoderOf(field.dataTypeID) }));
    } else if (message instanceof kinds.DataRowMessage) {
      const { fields } = message;
      rows.push(
        Object.fromEntries(columns.map(({ name, decode }, index) => [name, decodeField(fields[index], decode)])),
      );
    }
  }
  return rows;
}

const decodeField = (text: string | null | undefined, decode: (text: string) => unknown): unknown =>
  text === null || text === undefined ? null : decode(text);
