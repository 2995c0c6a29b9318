// planted: boundaries activities-carry-out-ports
import { storeName } from '../src/storage/dead-export.ts';

export const activityNames = [storeName];
