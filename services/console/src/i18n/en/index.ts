// The English dictionary, which says what words there are.
import { form } from './form';
import { money } from './money';
import { shell } from './shell';
import { task } from './task';
import { work } from './work';

export const en = { ...shell, ...task, ...form, ...work, ...money };
