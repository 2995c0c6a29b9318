/** Entry of the workflow bundle. */
export { reconcile } from './reconcile.ts';
export { session } from './session.ts';
