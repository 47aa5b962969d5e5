"""Train a network of this library in Keras on random pixels, and print how fast: images/s.

    /path/to/another/python experiments/peers/keras_fit.py lenet5 64 600

Called by experiments.benchmark with a Python that has Keras and TensorFlow; it imports nothing of
this library. LeNet-5's C3 is fully connected here, which Keras computes faster than Table I.
"""

import json
import sys
import time

import numpy as np


def layers(name: str) -> list[object]:
    """Return the layers behind the input."""
    from keras import layers as k

    def conv(maps: int, kernel: int, activation: str = "relu", padding: str = "valid") -> object:
        return k.Conv2D(maps, kernel, activation=activation, padding=padding)

    return {
        "dense": lambda: [k.Flatten(), k.Dense(10, "sigmoid")],
        "mlp": lambda: [k.Flatten(), k.Dense(100, "relu"), k.Dense(10, "sigmoid")],
        "dropout_cnn": lambda: [
            *(conv(32, 3), conv(64, 3), k.MaxPooling2D(), k.Dropout(0.25), k.Flatten()),
            *(k.Dense(128, "relu"), k.Dropout(0.5), k.Dense(10, "softmax")),
        ],
        "lenet5": lambda: [
            *(k.ZeroPadding2D(2), conv(6, 5, "tanh"), k.AveragePooling2D(2), conv(16, 5, "tanh")),
            *(k.AveragePooling2D(2), conv(120, 5, "tanh"), k.Flatten(), k.Dense(84, "tanh")),
            k.Dense(10, "softmax"),
        ],
        "tanh_cnn": lambda: [
            *(conv(20, 6), conv(20, 3), k.MaxPooling2D(4, 1), k.Dropout(0.05), conv(10, 6)),
            *(conv(10, 3), k.MaxPooling2D(4, 1), k.Dropout(0.05), k.Flatten()),
            *(k.Dense(30, "tanh"), k.Dense(10, "softmax")),
        ],
    }[name]()


def main() -> None:
    name, batch, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    import keras

    model = keras.Sequential([keras.Input((28, 28, 1)), *layers(name)])
    sgd = name in ("lenet5", "tanh_cnn")
    model.compile(keras.optimizers.SGD(0.01) if sgd else "adam", "sparse_categorical_crossentropy")
    draws = np.random.default_rng(0)
    images = draws.random((steps * batch, 28, 28, 1), dtype=np.float32)
    labels = draws.integers(0, 10, steps * batch)
    model.fit(images[: 20 * batch], labels[: 20 * batch], batch_size=batch, verbose=0)
    started = time.perf_counter()
    model.fit(images, labels, batch_size=batch, verbose=0)
    print(json.dumps(steps * batch / (time.perf_counter() - started)))


if __name__ == "__main__":
    main()
