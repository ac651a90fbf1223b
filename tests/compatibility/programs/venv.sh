# A virtual environment with pip in it, and a wheel of our own installed into it, without network.
cat > wheel.py <<'END'
import zipfile
info = 'greeting-1.0.dist-info/'
with zipfile.ZipFile('greeting-1.0-py3-none-any.whl', 'w') as wheel:
    wheel.writestr('greeting.py', 'def main(): print("hello from a wheel")\n')
    wheel.writestr(info + 'METADATA', 'Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n')
    wheel.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
    wheel.writestr(info + 'entry_points.txt', '[console_scripts]\ngreet = greeting:main\n')
    wheel.writestr(info + 'RECORD', ''.join(f'{name},,\n' for name in wheel.namelist() + [info + 'RECORD']))
END
/usr/bin/python3 wheel.py
export PIP_ROOT_USER_ACTION=ignore PIP_NO_INDEX=1 PIP_DISABLE_PIP_VERSION_CHECK=1
check venv '' '/usr/bin/python3 -m venv venv'
check pip-installs-into-a-venv 'hello from a wheel' '. venv/bin/activate
    pip install -q ./greeting-1.0-py3-none-any.whl
    python -c "import greeting; greeting.main()"'
check scripts-of-a-wheel 'hello from a wheel' 'venv/bin/greet'
check pip-uninstalls '1' '. venv/bin/activate; pip uninstall -q -y greeting; python -c "import greeting" 2>&1 | grep -c ModuleNotFoundError || true'
check venv-without-pip 'works' '/usr/bin/python3 -m venv --without-pip bare; bare/bin/python -c "print(\"works\")"'
check pip-installs-into-a-directory 'hello from a wheel' '/usr/bin/python3 -m pip install -q --target lib ./greeting-1.0-py3-none-any.whl
    PYTHONPATH=lib /usr/bin/python3 -c "import greeting; greeting.main()"'
