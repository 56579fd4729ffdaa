// A curve as small as a word.
export function Sparkline({ values, label, width = 96, height = 26 }: { values: (number | null)[]; label: string; width?: number; height?: number }) {
    const known = values.map((value, index) => [index, value] as const).filter((pair): pair is readonly [number, number] => pair[1] !== null);
    if (known.length < 2) return <span class="sparkline" aria-label={`${label}: nothing yet`} role="img" style={{ width: `${width}px`, height: `${height}px` }} />;
    const low = Math.min(...known.map(([, value]) => value));
    const high = Math.max(...known.map(([, value]) => value));
    const x = (index: number) => 2 + (index / (values.length - 1)) * (width - 4);
    const y = (value: number) => 2 + (1 - (value - low) / (high - low || 1)) * (height - 4);
    return (
        <svg class="sparkline" role="img" aria-label={label} width={width} height={height} viewBox={`0 0 ${width} ${height}`}>
            <polyline points={known.map(([index, value]) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`).join(" ")} fill="none" stroke="currentColor" stroke-width="1.6" stroke-linejoin="round" />
        </svg>
    );
}
