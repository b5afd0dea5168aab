// A chart of curves over steps. The library draws on a canvas; colours come from the style sheet.
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import * as format from '../format';
import { aligned, type Points, smoothed } from '../tasks/curves';

export interface Curve {
  name: string;
  points: Points;
}

const HEIGHT = 220;
/** With fewer points than this, each is marked. */
const FEW = 40;

function color(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** The raw curve stays faint behind the smoothed one. */
function seriesOf(curves: readonly Curve[], weight: number): uPlot.Series[] {
  const lines = curves.flatMap((curve, place): uPlot.Series[] => {
    const stroke = color(`--curve-${(place % 4) + 1}`);
    const isSparse = curve.points.length < FEW;
    const line: uPlot.Series = { label: curve.name, stroke, width: 2, spanGaps: true, points: { show: isSparse, size: 5 }, value: (_, value) => format.figure(value) };
    if (weight === 0 || isSparse) return [line];
    return [{ ...line, label: `${curve.name} ·`, width: 1, stroke: `${stroke}55`, points: { show: false }, class: 'raw' }, line];
  });
  return [{ label: 'step' }, ...lines];
}

function dataOf(curves: readonly Curve[], weight: number): uPlot.AlignedData {
  const [steps, ...rows] = aligned(curves.map((curve) => curve.points));
  const drawn = rows.flatMap((row, place) => {
    const isSparse = (curves[place]?.points.length ?? 0) < FEW;
    return weight === 0 || isSparse ? [row] : [row, smoothed(row, weight)];
  });
  return [steps, ...drawn] as uPlot.AlignedData;
}

function optionsOf(curves: readonly Curve[], weight: number, isLog: boolean, width: number, sync: string): uPlot.Options {
  const axis: uPlot.Axis = { stroke: color('--dim'), grid: { stroke: color('--line'), width: 1 }, ticks: { show: false }, font: '11px system-ui' };
  return {
    width,
    height: HEIGHT,
    padding: [10, 14, 0, 0],
    cursor: { sync: { key: sync }, drag: { x: true, y: false } },
    scales: { x: { time: false }, y: isLog ? { distr: 3 } : {} },
    series: seriesOf(curves, weight),
    axes: [{ ...axis, size: 28 }, { ...axis, size: 58, values: (_, ticks) => ticks.map((tick) => (tick == null ? '' : format.figure(tick))) }],
    legend: { live: true },
  };
}

interface Props {
  curves: readonly Curve[];
  weight: number;
  isLog: boolean;
  /** Charts of one key show the same step under the pointer. */
  sync: string;
}

export function Chart({ curves, weight, isLog, sync }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>();
  const shape = `${curves.map((curve) => `${curve.name} ${curve.points.length < FEW}`).join()} ${weight} ${isLog}`;
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const draw = (): void => {
      plot.current?.destroy();
      plot.current = new uPlot(optionsOf(curves, weight, isLog, element.clientWidth, sync), dataOf(curves, weight), element);
    };
    draw();
    const resized = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', draw);
    return () => {
      resized.disconnect();
      scheme.removeEventListener('change', draw);
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [shape, sync]);
  useEffect(() => plot.current?.setData(dataOf(curves, weight)), [curves, weight]);
  const last = curves.map((curve) => `${curve.name} ${format.figure(curve.points[curve.points.length - 1]?.[1])}`).join(', ');
  return <div class="chart" ref={box} role="img" aria-label={last} />;
}
