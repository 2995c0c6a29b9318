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
  let crash: { readonly cause: unknown } | null = null;

  // The engine mixes up the answers of two requests that overlap, as BEGIN and the statement after it do.
  let turn: Promise<unknown> = Promise.resolve();

  function inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    const mine = turn.then(work);
    turn = mine.catch(() => {});
    return mine;
  }

  async function guard<Value>(work: () => Promise<Value>): Promise<Value> {
    if (crash !== null) throw new Unavailable('database', crash.cause);
    try {
      return await inTurn(work);
    } catch (cause) {
      if (isStalePlan(cause)) forgetNames();
      if (isConnectionLost(cause) && crash === null) {
        crash = { cause };
        onCrash(cause);
      }
      throw toThrown(cause);
    }
  }

  const send = async (...parts: Uint8Array[]): Promise<readonly Message[]> =>
    (await engine.execProtocol(Buffer.concat(parts))).messages;

  async function prepare(text: string): Promise<string> {
    const digest = nameOf(text);
    const name = digest === null ? '' : `${digest}.${generation}`;
    if (prepared.has(name)) return name;
    await send(serialize.parse({ text, name }), serialize.sync());
    if (name !== '') prepared.add(name);
    return name;
  }

  /** New names, because inside a failed transaction the old ones cannot be given back. */
  function forgetNames(): void {
    prepared.clear();
    generation += 1;
  }

  return {
    async forgetStatements() {
      forgetNames();
      await guard(() => engine.exec('DEALLOCATE ALL'));
    },
    run: (text, values) =>
      guard(async () => {
        const statement = await prepare(text);
        const bind = serialize.bind({ statement, values: values.map(encodeForBind) });
        return rowsOf(await send(bind, serialize.describe({ type: 'P' }), serialize.execute(), serialize.sync()));
      }),
    command: (text) => guard(async () => void (await engine.exec(text))),
  };
}

function encodeForBind(value: SqlValue): string | ArrayBufferView | null {
  return encodeValue(value) as string | ArrayBufferView | null;
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
