/* An empty METH_FASTCALL function: what a call of C costs that does nothing with its arguments.
 * overhead.py compiles it, if there is a compiler, to compare snnc's calls with. */
#include <Python.h>

static PyObject *empty(PyObject *Py_UNUSED(module), PyObject *const *Py_UNUSED(args),
                       Py_ssize_t Py_UNUSED(nargs))
{
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"empty", (PyCFunction)(void (*)(void))empty, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {
#ifdef Py_mod_gil
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};

static struct PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "empty",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit_empty(void)
{
    return PyModuleDef_Init(&definition);
}
