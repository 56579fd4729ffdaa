// Curves over steps, by uPlot: hover for values, drag or the buttons to zoom, double click for all of it. Its colours are read off the
// stylesheet, anew when the system's setting changes. For those who cannot see it, a table of some points stands beside.
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { Button } from "./button";
import { count, figure } from "./format";

export interface Curve {
    name: string;
    values: (number | null)[];
    /** A CSS variable: "--accent". */
    colour: string;
    /** Drawn faint, as what another curve smooths. */
    faint?: boolean;
    /** Drawn through places where there is no value. */
    joined?: boolean;
    /** Single measurements: points, joined as well. */
    sparse?: boolean;
}

interface ChartProps {
    label: string;
    x: number[];
    xLabel?: string;
    curves: Curve[];
    logarithmic?: boolean;
    height?: number;
}

/** Exponential average with the start's bias taken out; `weight` 0 changes nothing. */
export function smooth(values: (number | null)[], weight: number): (number | null)[] {
    let sum = 0;
    let share = 0;
    return values.map((value) => {
        if (value === null) return null;
        sum = weight * sum + (1 - weight) * value;
        share = weight * share + (1 - weight);
        return sum / share;
    });
}

function colourOf(variable: string): string {
    // light-dark() resolves only where a property has it.
    const probe = document.createElement("span");
    probe.style.color = `var(${variable})`;
    document.body.append(probe);
    const colour = getComputedStyle(probe).color;
    probe.remove();
    return colour;
}

function withAlpha(colour: string, alpha: number): string {
    return colour.replace(/^rgb\((.*)\)$/, `rgba($1, ${alpha})`);
}

/** The place nearest to this one where the curve has a value; beyond its ends, where it has nothing to say, this one. */
function nearest(x: ArrayLike<number>, values: ArrayLike<number | null | undefined>, index: number): number {
    const absent = (at: number) => values[at] === null || values[at] === undefined;
    let before = index;
    let after = index;
    while (before >= 0 && absent(before)) before--;
    while (after < values.length && absent(after)) after++;
    if (before < 0 || after >= values.length) return index;
    return x[index]! - x[before]! <= x[after]! - x[index]! ? before : after;
}

function options(props: ChartProps, width: number): uPlot.Options {
    const muted = colourOf("--muted");
    const line = colourOf("--line");
    const axis = { stroke: muted, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1, size: 5 }, font: "12px system-ui, sans-serif" };
    return {
        width,
        height: props.height ?? 280,
        legend: { live: true },
        cursor: { drag: { x: true, y: false }, points: { size: 7 }, dataIdx: (plot, series, index) => nearest(plot.data[0], plot.data[series]!, index) },
        scales: { x: { time: false }, y: { distr: props.logarithmic ? 3 : 1 } },
        axes: [
            { ...axis, label: undefined },
            { ...axis, size: 64, values: (_, splits) => splits.map((value) => (value === null ? "" : figure(value))) },
        ],
        series: [
            { label: props.xLabel ?? "Step", value: (_, value) => (value === null ? "–" : Number.isInteger(value) ? count(value) : figure(value)) },
            ...props.curves.map((curve): uPlot.Series => {
                const colour = colourOf(curve.colour);
                return {
                    label: curve.name,
                    stroke: curve.faint ? withAlpha(colour, 0.28) : colour,
                    width: curve.faint ? 1 : 2,
                    spanGaps: curve.joined || curve.sparse || false,
                    points: { show: curve.sparse ? true : curve.values.length < 2, size: 6 },
                    value: (_, value) => figure(value),
                };
            }),
        ],
    };
}

function data({ x, curves, logarithmic }: ChartProps): uPlot.AlignedData {
    return [x, ...curves.map(({ values }) => (logarithmic ? values.map((value) => (value !== null && value > 0 ? value : null)) : values))] as uPlot.AlignedData;
}

// A table is never narrower than its words, whatever its width says: what hides it is a box around it.
function Points({ label, x, xLabel, curves }: ChartProps) {
    const step = Math.max(1, Math.ceil(x.length / 10));
    const rows = x.map((value, index) => ({ value, index })).filter(({ index }) => index % step === 0 || index === x.length - 1);
    return (
        <div class="unseen">
            <table>
                <caption>{label}</caption>
                <thead>
                    <tr>
                        <th scope="col">{xLabel ?? "Step"}</th>
                        {curves.map((curve) => (
                            <th key={curve.name} scope="col">
                                {curve.name}
                            </th>
                        ))}
                    </tr>
                </thead>
                <tbody>
                    {rows.map(({ value, index }) => (
                        <tr key={index}>
                            <td>{value}</td>
                            {curves.map((curve) => (
                                <td key={curve.name}>{figure(curve.values[nearest(x, curve.values, index)])}</td>
                            ))}
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}

export function Chart(props: ChartProps) {
    const box = useRef<HTMLDivElement>(null);
    const plot = useRef<uPlot | null>(null);
    const [scheme, setScheme] = useState(0);
    const made = JSON.stringify([props.curves.map(({ name, colour, faint }) => [name, colour, faint]), props.logarithmic, scheme]);
    useEffect(() => {
        const query = matchMedia("(prefers-color-scheme: dark)");
        const change = () => setScheme((n) => n + 1);
        query.addEventListener("change", change);
        return () => query.removeEventListener("change", change);
    }, []);
    useEffect(() => {
        const place = box.current!;
        plot.current = new uPlot(options(props, place.clientWidth), data(props), place);
        const observer = new ResizeObserver(() => plot.current?.setSize({ width: place.clientWidth, height: props.height ?? 280 }));
        observer.observe(place);
        return () => {
            observer.disconnect();
            plot.current?.destroy();
            plot.current = null;
        };
    }, [made]);
    useEffect(() => {
        const shown = plot.current;
        if (!shown) return;
        const { min, max } = shown.scales.x!;
        const all = shown.data[0] as number[];
        const zoomed = all.length > 1 && typeof min === "number" && typeof max === "number" && (min > all[0]! || max < all.at(-1)!);
        shown.setData(data(props), !zoomed);
        if (zoomed) shown.redraw();
    }, [props.x, props.curves]);
    /** Shows what lies behind this part of all steps. */
    function showFrom(part: number) {
        const first = props.x[0] ?? 0;
        const last = props.x.at(-1) ?? 1;
        plot.current?.setScale("x", { min: first + (last - first) * part, max: last });
    }
    return (
        <figure class="chart" aria-label={props.label}>
            <div ref={box} class="chart-box" aria-hidden="true" style={{ minHeight: `${(props.height ?? 280) + 34}px` }} />
            <div class="chart-zoom">
                <Button small kind="quiet" onPress={() => showFrom(0.75)}>
                    Last quarter
                </Button>
                <Button small kind="quiet" onPress={() => showFrom(0)}>
                    All steps
                </Button>
            </div>
            <Points {...props} />
        </figure>
    );
}
