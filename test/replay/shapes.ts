/** Every shape that a session's history can have. Each has a recording; a new one is added here and recorded. */
import { continuationShapes } from './shapes/continuations.ts';
import { endingShapes } from './shapes/endings.ts';
import { operationShapes } from './shapes/operations.ts';
import { recoveryShapes } from './shapes/recovery.ts';
import { runShapes } from './shapes/runs.ts';
import type { Shape } from './shapes/shape.ts';

export const shapes: Readonly<Record<string, Shape>> = {
  ...runShapes,
  ...continuationShapes,
  ...endingShapes,
  ...operationShapes,
};

/** These need a Temporal that suggests continue-as-new early, and whose store may be wiped. */
export { recoveryShapes };
