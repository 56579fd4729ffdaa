// The curves of one job, with what one may want of them: smoothing, a logarithmic axis, another quantity.
import { useState } from "preact/hooks";
import type { Curves } from "../../api/curves";
import { Chart, type Curve, smooth } from "../../kit/chart";
import { Check } from "../../kit/field";
import { Tabs } from "../../kit/tabs";

const has = (values: (number | null)[]) => values.some((value) => value !== null);

function lossCurves(curves: Curves, weight: number): Curve[] {
    const smoothed = weight > 0;
    return [
        ...(smoothed ? [{ name: "Training, as measured", values: curves.train_loss, colour: "--accent", faint: true }] : []),
        { name: "Training loss", values: smooth(curves.train_loss, weight), colour: "--accent" },
        ...(has(curves.valid_loss) ? [{ name: "Validation loss", values: curves.valid_loss, colour: "--busy", sparse: true }] : []),
        ...(has(curves.full_valid_loss) ? [{ name: "Full validation loss", values: curves.full_valid_loss, colour: "--good", sparse: true }] : []),
    ];
}

/** `over`: it has ended without having measured anything. */
export function JobCurves({ curves, over }: { curves: Curves | undefined; over: boolean }) {
    const [shown, setShown] = useState("loss");
    const [weight, setWeight] = useState(0.6);
    const [logarithmic, setLogarithmic] = useState(false);
    if (!curves?.steps.length && over) return <p class="hint">It ended before its first step.</p>;
    if (!curves?.steps.length) return <div class="chart-empty">Curves stand here from the first step on.</div>;
    const chart = (label: string, lines: Curve[]) => <Chart label={label} x={curves.steps} curves={lines} logarithmic={logarithmic} />;
    return (
        <>
            <div class="chart-tools">
                <label class="inline-slider">
                    Smoothing
                    <input type="range" class="slider" min={0} max={0.98} step={0.02} value={weight} onInput={(event) => setWeight(Number(event.currentTarget.value))} />
                </label>
                <Check label="Logarithmic" checked={logarithmic} onInput={setLogarithmic} />
                <small>Drag to zoom, double click for all of it.</small>
            </div>
            <Tabs
                label="Curves"
                selected={shown}
                onSelect={setShown}
                tabs={[
                    { id: "loss", title: "Loss", view: () => chart("Loss by step", lossCurves(curves, weight)) },
                    { id: "accuracy", title: "Accuracy", view: () => chart("Share of tokens that were the likeliest", [{ name: "Training accuracy", values: smooth(curves.train_mean_token_accuracy, weight), colour: "--accent" }]) },
                    { id: "rate", title: "Learning rate", view: () => chart("Learning rate by step", [{ name: "Learning rate", values: curves.learning_rate, colour: "--busy" }]) },
                    { id: "norm", title: "Gradient", view: () => chart("Norm of the gradient by step", [{ name: "Gradient norm", values: smooth(curves.grad_norm, weight), colour: "--warn" }]) },
                    { id: "speed", title: "Speed", view: () => chart("Tokens a second by step", [{ name: "Tokens a second", values: curves.tokens_per_second, colour: "--good" }]) },
                ]}
            />
        </>
    );
}
