// planted: boundaries storage-implements-ports
import { storeOfHttp } from '../http/reads-storage.ts';

export const storeOfStorage = storeOfHttp;
