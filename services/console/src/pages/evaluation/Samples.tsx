// The scoring detail of an evaluation, sample by sample, with filters by benchmark, subject and outcome.
import { useState } from 'preact/hooks';
import { useSearch } from 'wouter-preact';
import { ask } from '../../api/client';
import { useLoad, usePages } from '../../api/load';
import type { Outcome, Sample, Task } from '../../api/types';
import { Busy, Empty, More } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import { t, word } from '../../i18n';
import { scoredOf } from '../../tasks/scores';
import { SampleCard } from './SampleCard';

const OUTCOMES: readonly Outcome[] = ['pass', 'fail', 'unextracted'];

export function Samples({ task }: { task: Task }) {
  if (task.state !== 'succeeded') return <Empty>{t('empty.scores')}</Empty>;
  return <List task={task} />;
}

function List({ task }: { task: Task }) {
  const search = useSearch();
  const [benchmark, setBenchmark] = useState(new URLSearchParams(search).get('benchmark') ?? '');
  const [subject, setSubject] = useState('');
  const [outcome, setOutcome] = useState('');
  const path = { id: task.id };
  const results = useLoad(() => ask('get', '/api/v1/tasks/{id}/scores', { path }), [task.id]);
  const query = { benchmark: benchmark || undefined, subject: subject.trim() || undefined, outcome: outcome || undefined, limit: 20 };
  const samples = usePages<Sample>(
    (cursor) => ask('get', '/api/v1/tasks/{id}/samples', { path, query: { ...query, cursor } }),
    [task.id, benchmark, subject, outcome],
  );
  const subjects = [...new Set(samples.items.map((sample) => sample.subject).filter((one) => one != null))];
  return (
    <>
      <form class="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <select aria-label={t('spec.benchmark')} value={benchmark} onChange={(event) => setBenchmark(event.currentTarget.value)}>
          <option value="">{t('filter.all_benchmarks')}</option>
          {scoredOf(results.data ?? { results: {} }).map((one) => <option key={one.name} value={one.name}>{'\u00a0'.repeat(one.depth * 2)}{one.name}</option>)}
        </select>
        <input type="search" list="subjects" placeholder={t('filter.subject')} aria-label={t('filter.subject')} value={subject} onChange={(event) => setSubject(event.currentTarget.value)} />
        <datalist id="subjects">{subjects.map((one) => <option key={one} value={one} />)}</datalist>
        <select aria-label={t('filter.outcome')} value={outcome} onChange={(event) => setOutcome(event.currentTarget.value)}>
          <option value="">{t('filter.any_outcome')}</option>
          {OUTCOMES.map((one) => <option key={one} value={one}>{word('outcome', one)}</option>)}
        </select>
      </form>
      <Notice problem={samples.problem} again={samples.reload} />
      {samples.items.length === 0 && (samples.isLoading ? <Busy /> : <Empty>{t('empty.filtered')}</Empty>)}
      {samples.items.map((sample, place) => <SampleCard key={`${place} ${sample.benchmark} ${JSON.stringify(sample.doc_id)} ${sample.filter}`} sample={sample} />)}
      <More pages={samples} />
    </>
  );
}
