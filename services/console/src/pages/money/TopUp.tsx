// Putting credits into the workspace, which admins of the first workspace may.
import { useRef, useState } from 'preact/hooks';
import { ask, onceKey } from '../../api/client';
import { asProblem, type Problem } from '../../api/problem';
import { FormContext, Numeric, refusedWith } from '../../components/Field';
import { Card } from '../../components/Layout';
import { Notice } from '../../components/Notice';
import { t } from '../../i18n';

export function TopUp({ done }: { done: () => void }) {
  const [amount, setAmount] = useState('');
  const [problem, setProblem] = useState<Problem>();
  const once = useRef(onceKey());
  const submit = (event: Event): void => {
    event.preventDefault();
    setProblem(undefined);
    ask('post', '/api/v1/billing/top-up', { body: { amount_microcredits: Math.round(Number(amount) * 1e6) }, once: once.current }).then(
      () => {
        once.current = onceKey();
        setAmount('');
        done();
      },
      (error: unknown) => setProblem(asProblem(error)),
    );
  };
  return (
    <FormContext.Provider value={refusedWith(problem)}>
      <Card title={t('topup.title')}>
        <form class="line" onSubmit={submit} noValidate>
          <Numeric name="amount_microcredits" label={t('topup.amount')} value={amount} onChange={setAmount} />
          <button type="submit" class="primary" disabled={!(Number(amount) > 0)}>{t('topup.run')}</button>
        </form>
        <Notice problem={problem} />
      </Card>
    </FormContext.Provider>
  );
}
