import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type NewRecord, recordEnvelope, recordView, shownAs } from '../../src/domain/record.ts';

const control = [['trigger-control', 'turn-complete']] as const;

describe('how a record will be shown', () => {
  test.each<[string, NewRecord, ReturnType<typeof shownAs>]>([
    ['our own envelope', { headers: [], body: recordEnvelope('ü "text"', 'p1') }, 'envelope'],
    ['an object in an envelope', { headers: [], body: '{"data":{"a":[1,null]},"id":"x"}' }, 'envelope'],
    ['its parts in another order', { headers: [], body: '{"id":"x","data":1}' }, null],
    ['with spaces', { headers: [], body: '{"data": 1,"id":"x"}' }, null],
    ['with a further part', { headers: [], body: '{"data":1,"id":"x","more":2}' }, null],
    ['with a part twice', { headers: [], body: '{"data":1,"data":2,"id":"x"}' }, null],
    ['a number that is written otherwise', { headers: [], body: '{"data":1e2,"id":"x"}' }, null],
    ['no envelope', { headers: [], body: 'hello' }, 'blank'],
    ['an envelope without an id', { headers: [], body: '{"data":1}' }, 'blank'],
    ['too long to be judged', { headers: [], body: recordEnvelope('x'.repeat(70_000), 'x') }, null],
    ['a control record', { headers: control, body: recordEnvelope('x', 'y') }, 'blank'],
    ['a command', { headers: [['', 'trim']], body: new Uint8Array(8) }, 'hidden'],
    ['bytes', { headers: [], body: new Uint8Array([255]) }, null],
  ])('%s', (_name, record, shown) => {
    expect(shownAs(record)).toBe(shown);
  });

  test('what is too deep to be written again is no fault', () => {
    const body = `{"data":${'['.repeat(30_000)}${']'.repeat(30_000)},"id":"x"}`;
    // Whether it can be parsed is the engine's affair; what cannot be is blank to every reader.
    expect([null, 'blank']).toContain(shownAs({ headers: [], body }));
  });

  test('an envelope with the seq put in is what a reader would have written', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string({ unit: 'binary' }), fc.nat(), (data, id, seq) => {
        const body = JSON.stringify({ data, id });
        fc.pre(shownAs({ headers: [], body }) === 'envelope');
        const view = JSON.stringify(recordView({ seq, atMs: 0, headers: [], body }));
        expect(`${body.slice(0, -1)},"seqNum":${seq}}`).toBe(view);
      }),
    );
  });
});
