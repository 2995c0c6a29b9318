// planted: boundaries workflows-take-activities-by-type
import { activityNames } from '../activities/index.ts';

export const activitiesOfWorkflow = activityNames;
