/** Carries a program out and writes down what everybody saw, one history for each stream. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { StreamEvent } from './history.ts';
import {
  type Program,
  type ProgramStream,
  programStreams,
  type ReaderPlan,
  type StreamProcess,
  type WriterStep,
} from './program.ts';

export interface ProgramStage {
  readonly processes: readonly StreamProcess[];
  /** Drops the records of `out` before a seq, as a run's trim command does. Null: no trims. */
  readonly trim: ((before: number) => Promise<void>) | null;
}

export type Histories = Readonly<Record<ProgramStream, StreamEvent[]>>;

const deadlineMs = 60_000;

export async function runProgram(stage: ProgramStage, program: Program): Promise<Histories> {
  const running = new Running(stage);
  const readers = program.readers.map((plan, index) => running.reader(plan, index));
  await Promise.all(program.writers.map((steps, writer) => running.writer(steps, writer)));
  const ends = new Map<ProgramStream, number>();
  for (const stream of programStreams) ends.set(stream, await running.read(stream, 0));
  running.ends = ends;
  await Promise.all(readers);
  for (const stream of programStreams) await running.read(stream, 0);
  return running.histories;
}

class Running {
  readonly histories: Histories = { in: [], out: [], 'side/out': [] };
  /** Of the streams, once all writers are done: readers are done when they have got there. */
  ends: ReadonlyMap<ProgramStream, number> | null = null;
  readonly #stage: ProgramStage;
  #turns = 0;

  constructor(stage: ProgramStage) {
    this.#stage = stage;
  }

  /** Each call goes to the next process. */
  #process(): StreamProcess {
    this.#turns += 1;
    return this.#stage.processes[this.#turns % this.#stage.processes.length] as StreamProcess;
  }

  async writer(steps: readonly WriterStep[], writer: number): Promise<void> {
    for (const [index, step] of steps.entries()) {
      if (step.kind === 'append') await this.#append(step, `${writer}.${index}`);
      else if (step.kind === 'read') await this.read(step.stream, step.back);
      else await this.#trim(step.back);
    }
  }

  async #append(step: WriterStep & { kind: 'append' }, own: string): Promise<void> {
    const { stream, sharedPart, textLength, cuts } = step;
    const record = { partId: sharedPart === null ? own : `shared ${sharedPart}`, text: own.padEnd(textLength, '.') };
    let cutsLeft = cuts;
    for (const deadline = Date.now() + deadlineMs; ; ) {
      const invokedAt = performance.now();
      const seq = await this.#process().append(stream, record, cutsLeft > 0);
      const returnedAt = seq === null ? null : performance.now();
      this.histories[stream].push({ kind: 'append', invokedAt, returnedAt, ...record, seq });
      if (seq !== null && cutsLeft <= 0) return;
      cutsLeft -= 1;
      if (Date.now() > deadline) throw new Error(`an append was not acknowledged in ${deadlineMs} ms`);
      // A process that is gone refuses at once.
      if (cutsLeft < 0) await sleep(20);
    }
  }

  /** @param back records before the end, as far as this history knows it; 0 reads everything */
  async read(stream: ProgramStream, back: number): Promise<number> {
    const known = Math.max(
      0,
      ...this.histories[stream].map((event) => (event.kind === 'append' ? (event.seq ?? 0) : 0)),
    );
    const from = back === 0 ? 0 : Math.max(0, known - back);
    const invokedAt = performance.now();
    const answer = await this.#untilAnswered((process) => process.read(stream, from));
    this.histories[stream].push({ kind: 'read', invokedAt, returnedAt: performance.now(), from, ...answer });
    return answer.next;
  }

  async #untilAnswered<Value>(call: (process: StreamProcess) => Promise<Value>): Promise<Value> {
    for (const deadline = Date.now() + deadlineMs; ; await sleep(20)) {
      try {
        return await call(this.#process());
      } catch (error) {
        if (Date.now() > deadline) throw error;
      }
    }
  }

  /** At least the last record stays, so every reader has an end to get to. */
  async #trim(back: number): Promise<void> {
    const seqs = this.histories.out.map((event) => (event.kind === 'append' ? (event.seq ?? 0) : 0));
    const before = Math.max(0, ...seqs) - back;
    if (before <= 0 || this.#stage.trim === null) return;
    this.histories.out.push({ kind: 'trim', invokedAt: performance.now(), before });
    await this.#stage.trim(before);
  }

  /** Follows from the first record to the last, over as many connections as the plan and the processes ask for. */
  async reader({ stream, isSlow, cutAfter }: ReaderPlan, index: number): Promise<void> {
    const seen = { kind: 'read' as const, invokedAt: performance.now(), from: 0, next: null };
    let position = 0;
    this.#turns += index;
    for (const deadline = Date.now() + deadlineMs; !this.#isAtEnd(stream, position); ) {
      let heard = 0;
      const following = this.#process().follow(stream, {
        from: position,
        isSlow,
        onRecords: (records) => {
          this.histories[stream].push({ ...seen, from: position, returnedAt: performance.now(), records });
          position = (records.at(-1)?.seq ?? position - 1) + 1;
          heard += records.length;
        },
      });
      let isOver = false;
      void following.ended.then(() => (isOver = true));
      while (!isOver && !(cutAfter > 0 && heard >= cutAfter) && !this.#isAtEnd(stream, position)) {
        if (Date.now() > deadline) throw new Error(`a reader of ${stream} waits at ${position}`);
        await sleep(5);
      }
      following.leave();
      await following.ended;
    }
  }

  #isAtEnd(stream: ProgramStream, position: number): boolean {
    return this.ends !== null && position >= (this.ends.get(stream) ?? 0);
  }
}
