export { delayMs } from './clock.ts';
export { storeOfWorkflow } from './reads-storage.ts';
export { activitiesOfWorkflow } from './runs-activity-code.ts';
